"""The bytes of an image file as decoders are given them: not too many, and of a TIFF file those of one page."""

import os
from pathlib import Path
from typing import BinaryIO

from daefr_arch.errors import InputError
from daefr_arch.io import tiff_deep
from daefr_arch.io.damage import LEAST_HELD, Contents, damage, mended
from daefr_arch.io.damaged_jpeg import held_at_most, without_empty_end
from daefr_arch.io.damaged_webp import padded, share_held
from daefr_arch.io.jxl_header import JXL_STARTS, jxl_size
from daefr_arch.io.pillow_files import DAMAGED, open_image
from daefr_arch.io.tiff_file import MAGIC as TIFF_MAGIC
from daefr_arch.io.tiff_file import TiffFile
from daefr_arch.io.tiff_page import TiffPage

# the largest files: 16 bits of colour and alpha uncompressed, and what is written about them
_MOST_BYTES_A_PIXEL, _METADATA_BYTES = 8, 64 << 20
_DNG_VERSION = 50706
_LONGEST_JXL_HEAD = 1 << 16  # bytes, with the boxes before the image


def page_count(path: str | Path) -> int:
    """The number of pages of a TIFF file; 1 for every other file, also for one that cannot be read.

    Smaller copies (thumbnails) and masks of a page are no pages.
    """
    try:
        with Path(path).open('rb') as file:
            return len(TiffFile(file).pages) if file.read(4) in TIFF_MAGIC else 1
    except (OSError, ValueError):
        return 1  # `read_image` says what is wrong


def image_size(path: str | Path) -> tuple[int, int] | None:
    """(width, height) as the head of an image file says, nothing is decoded; None where that cannot be told."""
    try:
        with Path(path).open('rb') as file:
            head = file.read(_LONGEST_JXL_HEAD)
        if head.startswith(JXL_STARTS):  # Pillow's plug-in decodes as it opens
            return jxl_size(head)
        with open_image(Path(path)) as image:
            return image.size
    except DAMAGED:
        return None


def read_contents(path: Path, *, page: int, max_pixels: int) -> Contents:
    """The bytes to decode.

    Args:
        path: the file.
        page: of a TIFF file, from 0.
        max_pixels: of the image; files that are larger than any such image are not read.

    Raises:
        InputError: no such page, or too large. ValueError: damaged beyond use. OSError: it cannot be read.
    """
    with path.open('rb') as file:
        if file.read(4) in TIFF_MAGIC:
            return _tiff_page(TiffFile(file), page, max_pixels)
        _check_page(page, 1)
        data = _all(file, max_pixels)
    if not data:
        raise InputError('the file is empty, expected an image')
    if data.startswith(b'\xff\xd8'):
        data = without_empty_end(data)
        held = held_at_most(data)
        if held < LEAST_HELD:  # before a photo of nothing takes its memory
            raise ValueError(f'its bytes hold at most {held:.1%} of the pixels that it states')
    elif (held := share_held(data)) < 1:  # of a WebP file that is cut Pillow cannot tell the size
        damage(1 - held)
        with open_image(padded(data)) as image:
            check_size(image.size, max_pixels)
        return mended(data, 'WEBP') or Contents(data)
    elif data.startswith(JXL_STARTS):  # Pillow's plug-in decodes as it opens
        check_size(jxl_size(data), max_pixels)
    return Contents(data)


def check_size(size: tuple[int, int], max_pixels: int) -> None:
    """Raises InputError for an image, of this width and height, of more pixels."""
    width, height = size
    if width * height > max_pixels:
        raise InputError(f'{width}x{height} are more pixels than the limit of {max_pixels}; raise it with --max_pixels')


def _check_page(page: int, pages: int) -> None:
    if not 0 <= page < pages:
        raise InputError(f'expected a page from 0 to {pages - 1}, got {page}')


def _all(file: BinaryIO, max_pixels: int) -> bytes:
    size, most = file.seek(0, os.SEEK_END), _MOST_BYTES_A_PIXEL * max_pixels + _METADATA_BYTES
    if size > most:
        raise InputError(f'{size} bytes are more than an image of {max_pixels} pixels has; raise it with --max_pixels')
    file.seek(0)
    return file.read()


def _tiff_page(tiff: TiffFile, number: int, max_pixels: int) -> Contents:
    _check_page(number, len(tiff.pages))
    page = TiffPage(tiff, tiff.pages[number])
    if _DNG_VERSION in page.tags:
        raise InputError('a raw photo (DNG) is not read: export it as TIFF or JPEG')
    check_size((page.layout.width, page.layout.height), max_pixels)
    if page.is_jpeg:
        return Contents(page.jpeg())
    segments, lost = page.segments()
    said = damage(lost) if lost else None
    if tiff.broken and number == len(tiff.pages) - 1:
        said = '; '.join(filter(None, (said, 'the file is cut or damaged: the pages behind this one are lost')))
    return Contents(
        tiff_deep.plain(page, segments) if tiff_deep.is_unusual(page) else page.with_segments(segments), said
    )
