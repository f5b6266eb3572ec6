"""One page of a TIFF file as a small file of its own, which every decoder reads alike.

Decoders differ in what they make of BigTIFF, of later pages, and of strips and tiles that are not there.
"""

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from daefr_arch.io.tiff_directory import Tag, TiffFile

WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC, SAMPLES, PLANAR = 256, 257, 258, 259, 262, 277, 284
STRIP_OFFSETS, ROWS_A_STRIP, STRIP_SIZES = 273, 278, 279
TILE_WIDTH, TILE_HEIGHT, TILE_OFFSETS, TILE_SIZES = 322, 323, 324, 325
ORIENTATION, EXIF, GPS = 274, 34665, 34853
UNCOMPRESSED, OLD_JPEG, SEPARATE = 1, 6, 2
_JPEG_OFFSET, _JPEG_SIZE = 513, 514
# what points to other places of the file, or is of use to its writer alone
_LEFT_OUT = {288, 289, 330, 40965, 37724, _JPEG_OFFSET, _JPEG_SIZE, 519, 520, 521}
_LONG = 4


@dataclass(frozen=True)
class TiffPage:
    """One page. offset: of its directory in the file."""

    tiff: TiffFile
    offset: int

    @cached_property
    def tags(self) -> dict[int, Tag]:
        """All tags of the directory."""
        return self.tiff.tags(self.offset)

    def number(self, tag: int, default: int) -> int:
        """The first value of a tag of integers."""
        return next(iter(self.numbers(tag)), default)

    def numbers(self, tag: int) -> Sequence[int]:
        """The values of a tag of integers; none where it is not there."""
        return self.tiff.numbers(self.tags[tag]) if tag in self.tags else ()

    @property
    def size(self) -> tuple[int, int]:
        """Width and height as they are stored; 0 where the file does not say."""
        return self.number(WIDTH, 0), self.number(HEIGHT, 0)

    @cached_property
    def segments(self) -> list[tuple[int, int]]:
        """Offset and size in the file of each strip or tile."""
        tiled = TILE_OFFSETS in self.tags
        offsets = self.numbers(TILE_OFFSETS if tiled else STRIP_OFFSETS)
        sizes = self.numbers(TILE_SIZES if tiled else STRIP_SIZES)
        if not sizes and len(offsets) == 1:  # old writers of one strip: all that follows
            sizes = [max(0, self.tiff.size - offsets[0])]
        return list(zip(offsets, sizes, strict=False))

    def as_file(self) -> bytes:
        """The page as a TIFF file in memory, or the JPEG file that an old JPEG in TIFF is; without orientation.

        Raises:
            ValueError: strips or tiles are missing, or together larger than the file.
        """
        if self.number(COMPRESSION, 1) == OLD_JPEG and {_JPEG_OFFSET, _JPEG_SIZE} <= self.tags.keys():
            return self.tiff.bytes_at(self.number(_JPEG_OFFSET, 0), self.number(_JPEG_SIZE, 0))
        distinct = dict.fromkeys(self.segments)
        if sum(size for _, size in distinct) > 2 * self.tiff.size:
            raise ValueError('its strips or tiles are larger than the file')
        data = {segment: self.tiff.bytes_at(*segment) for segment in distinct}
        tags = {number: tag for number, tag in self.tags.items() if number not in _LEFT_OUT | {ORIENTATION}}
        directories = {number: self.tiff.tags(self.number(number, 0)) for number in (EXIF, GPS) if number in tags}
        return tiff_bytes(self.tiff.order, tags, [data[segment] for segment in self.segments], directories)


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
    offsets, sizes = [place[id(segment)] for segment in segments], [len(segment) for segment in segments]
    tiled = TILE_OFFSETS in tags
    written = dict(tags)
    written[TILE_OFFSETS if tiled else STRIP_OFFSETS] = file.longs(offsets)
    written[TILE_SIZES if tiled else STRIP_SIZES] = file.longs(sizes)
    for number, directory in directories.items():
        written[number] = file.longs([file.add_directory(directory)])
    return file.finish(written)


class _TiffWriter:
    def __init__(self, order: str) -> None:
        self._order = order
        self._parts = [b'']  # for the header
        self._position = 8

    def longs(self, values: Sequence[int]) -> Tag:
        return Tag(_LONG, len(values), struct.pack(f'{self._order}{len(values)}I', *values))

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
