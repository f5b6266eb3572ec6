"""One page of a TIFF file as a small file of its own, which every decoder reads alike.

Decoders differ in what they make of BigTIFF, of later pages, and of strips and tiles that are not there.
"""

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from daefr_arch.io.tiff_file import LONG, Tag, TiffFile, tag_of
from daefr_arch.io.tiff_segments import SegmentLayout, completed

WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC, SAMPLES, PLANAR = 256, 257, 258, 259, 262, 277, 284
STRIP_OFFSETS, ROWS_A_STRIP, STRIP_SIZES = 273, 278, 279
TILE_WIDTH, TILE_HEIGHT, TILE_OFFSETS, TILE_SIZES = 322, 323, 324, 325
SEPARATE = 2
_OLD_JPEG, _JPEG_OFFSET, _JPEG_SIZE = 6, 513, 514
_EXIF, _GPS = 34665, 34853
# what points to other places of the file, or is of use to its writer alone
_LEFT_OUT = {288, 289, 330, 37724, 40965, _JPEG_OFFSET, _JPEG_SIZE, 519, 520, 521}
_MOST_SEGMENTS = 1 << 20


@dataclass(frozen=True)
class TiffPage:
    """One page. offset: of its directory in the file."""

    tiff: TiffFile
    offset: int

    @cached_property
    def tags(self) -> dict[int, Tag]:
        """All tags of the directory."""
        return self.tiff.tags(self.offset)

    def numbers(self, tag: int) -> Sequence[int]:
        """The values of a tag of integers; none where it is not there."""
        return self.tiff.numbers(self.tags[tag]) if tag in self.tags else ()

    def number(self, tag: int, default: int) -> int:
        """The first value of a tag of integers."""
        return next(iter(self.numbers(tag)), default)

    @property
    def layout(self) -> SegmentLayout:
        """How the page is cut into strips or tiles."""
        width, height = self.number(WIDTH, 0), self.number(HEIGHT, 0)
        return SegmentLayout(
            width=width,
            height=height,
            segment_width=self.number(TILE_WIDTH, width) if self._tiled else width,
            segment_height=self.number(TILE_HEIGHT if self._tiled else ROWS_A_STRIP, height),
            tiled=self._tiled,
            bits=self.number(BITS, 1),
            samples=self.number(SAMPLES, 1),
            separate=self.number(PLANAR, 1) == SEPARATE,
            compression=self.number(COMPRESSION, 1),
        )

    def segments(self) -> tuple[list[bytes], float]:
        """The bytes of each strip or tile, and which share in [0, 1] of them the file does not hold.

        Those that the writer left out (their offset is 0: there is nothing in them) are black and not counted as lost.

        Raises:
            ValueError: the page states no strips or tiles, or they cannot be.
        """
        layout = self.layout
        count = layout.count
        offsets = self.numbers(TILE_OFFSETS if self._tiled else STRIP_OFFSETS)[:count]
        sizes = self.numbers(TILE_SIZES if self._tiled else STRIP_SIZES)[:count]
        if not offsets or count > _MOST_SEGMENTS:
            raise ValueError(f'{len(offsets)} strips or tiles of {count}')
        if not sizes:  # old writers of one strip: all that follows
            sizes = [max(0, self.tiff.size - offset) for offset in offsets[:1]]
        places = [
            (offset, (size or layout.unstated_size(index)) if offset else 0)
            for index, (offset, size) in enumerate(zip(offsets, sizes, strict=False))
        ]
        data = dict.fromkeys(places, b'')
        if sum(min(size, max(0, self.tiff.size - offset)) for offset, size in data) > 2 * self.tiff.size:
            raise ValueError('its strips or tiles are larger than the file')
        for place in data:
            data[place] = self.tiff.bytes_up_to(*place)
        found = [(data[place], place[1]) for place in places]
        return completed(layout, found + [(b'', 1)] * (count - len(found)))  # those not even listed are lost

    @property
    def is_jpeg(self) -> bool:
        """Whether the page is a JPEG file within the TIFF file, as of old."""
        return self.number(COMPRESSION, 1) == _OLD_JPEG and {_JPEG_OFFSET, _JPEG_SIZE} <= self.tags.keys()

    def jpeg(self) -> bytes:
        """That JPEG file."""
        return self.tiff.bytes_up_to(self.number(_JPEG_OFFSET, 0), self.number(_JPEG_SIZE, 0))

    def with_segments(self, segments: Sequence[bytes], changed: Mapping[int, Tag | None] | None = None) -> bytes:
        """The page as a TIFF file with other strips or tiles. changed: other tags; None takes one away."""
        left_out = _LEFT_OUT | (set() if self._tiled else {TILE_WIDTH, TILE_HEIGHT})
        tags = {number: tag for number, tag in self.tags.items() if number not in left_out}
        for number, tag in (changed or {}).items():
            tags.pop(number, None)
            if tag is not None:
                tags[number] = tag
        directories = {
            number: self.tiff.tags(self.number(number, 0)) for number in (_EXIF, _GPS) if self.number(number, 0)
        }
        return tiff_bytes(self.tiff.order, tags, segments, directories)

    @property
    def _tiled(self) -> bool:
        return TILE_OFFSETS in self.tags


def tiff_bytes(
    order: str,
    tags: Mapping[int, Tag],
    segments: Sequence[bytes],
    directories: Mapping[int, Mapping[int, Tag]],
) -> bytes:
    """A TIFF file of one page.

    Args:
        order: '<' or '>', the byte order of tags and segments.
        tags: of its directory; those that say where its strips or tiles lie are set.
        segments: its strips or tiles; the same object more than once is written once.
        directories: tag -> the directory that it points to, such as EXIF.

    Raises:
        ValueError: it would be larger than a TIFF file can be.
    """
    file = _TiffWriter(order)
    place = {id(segment): file.add(segment) for segment in {id(segment): segment for segment in segments}.values()}
    tiled = TILE_WIDTH in tags
    places = (STRIP_OFFSETS, STRIP_SIZES, TILE_OFFSETS, TILE_SIZES)
    written = {number: tag for number, tag in tags.items() if number not in places}
    offsets = [place[id(segment)] for segment in segments]
    written[TILE_OFFSETS if tiled else STRIP_OFFSETS] = tag_of(order, LONG, *offsets)
    written[TILE_SIZES if tiled else STRIP_SIZES] = tag_of(order, LONG, *map(len, segments))
    for number, directory in directories.items():
        written[number] = tag_of(order, LONG, file.add_directory(directory))
    return file.finish(written)


class _TiffWriter:
    def __init__(self, order: str) -> None:
        self._order = order
        self._parts = [b'']  # for the header
        self._position = 8

    def add(self, data: bytes) -> int:
        """Where the data lies."""
        place = self._position
        padding = bytes(len(data) % 2)
        self._parts += [data, padding]
        self._position += len(data) + len(padding)
        if self._position >= 2**32:
            raise ValueError('more than 4 GiB in one page')
        return place

    def add_directory(self, tags: Mapping[int, Tag]) -> int:
        """Where the directory lies."""
        entries = [struct.pack(f'{self._order}H', len(tags))]
        for number, tag in sorted(tags.items()):
            size = len(tag.data)
            field = tag.data.ljust(4, b'\0') if size <= 4 else struct.pack(f'{self._order}I', self.add(tag.data))
            entries.append(struct.pack(f'{self._order}HHI', number, tag.kind, tag.count) + field)
        return self.add(b''.join(entries) + bytes(4))

    def finish(self, tags: Mapping[int, Tag]) -> bytes:
        first = self.add_directory(tags)
        magic = b'II*\0' if self._order == '<' else b'MM\0*'
        self._parts[0] = magic + struct.pack(f'{self._order}I', first)
        return b''.join(self._parts)
