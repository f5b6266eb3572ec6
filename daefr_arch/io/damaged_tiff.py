"""TIFF pages with strips or tiles that cannot be unpacked: blank ones in their place."""

from io import BytesIO

from daefr_arch.io.pillow_files import DAMAGED, load_image, open_image
from daefr_arch.io.tiff_file import LONG, TiffFile, tag_of
from daefr_arch.io.tiff_page import HEIGHT, ROWS_A_STRIP, TILE_HEIGHT, TILE_WIDTH, WIDTH, TiffPage
from daefr_arch.io.tiff_segments import completed

_MOST_TRIED = 4096  # each is opened


def mended(data: bytes) -> tuple[bytes, float] | None:
    """The page with blank strips or tiles for the damaged ones, and the share of them that is; None if none is.

    Args:
        data: a file of one page, as `TiffPage.with_segments` makes it.

    Raises:
        ValueError: there are too many to try, or no blank ones in this compression.
    """
    tiff = TiffFile(BytesIO(data))
    page = TiffPage(tiff, tiff.pages[0])
    layout = page.layout
    segments, _ = page.segments()
    if len(segments) > _MOST_TRIED:
        raise ValueError(f'damaged, and in more strips or tiles ({len(segments)}) than are tried one by one')
    sound = {id(segment): _is_sound(page, index, segment) for index, segment in enumerate(segments)}
    if all(sound.values()):
        return None
    # a byte more than is there: to be continued from its beginning, or blank
    found = [(segment, len(segment) + (not sound[id(segment)])) for segment in segments]
    whole, lost = completed(layout, found)
    return page.with_segments(whole), lost


def _is_sound(page: TiffPage, index: int, segment: bytes) -> bool:
    """Whether the strip or tile can be unpacked when it is all there is."""
    layout, order = page.layout, page.tiff.order
    alone = {
        WIDTH: tag_of(order, LONG, layout.segment_width),
        HEIGHT: tag_of(order, LONG, layout.rows(index)),
        ROWS_A_STRIP: None if layout.tiled else tag_of(order, LONG, layout.rows(index)),
        TILE_WIDTH: tag_of(order, LONG, layout.segment_width) if layout.tiled else None,
        TILE_HEIGHT: tag_of(order, LONG, layout.segment_height) if layout.tiled else None,
    }
    pieces = [segment] * (layout.samples if layout.separate else 1)
    try:
        with open_image(page.with_segments(pieces, alone)) as image:
            load_image(image)
    except DAMAGED:
        return False
    return True
