"""A TIFF file on disk: its pages and the tags of each page, from classic and BigTIFF files of either byte order.

Source: TIFF 6.0, section 2; BigTIFF as libtiff has it. Only what is asked for is read, so large files cost nothing.
"""

import os
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import BinaryIO

MAGIC = (b'II*\0', b'MM\0*', b'II+\0', b'MM\0+')
SHORT, LONG = 3, 4
_SUBFILE_TYPE, _OLD_SUBFILE_TYPE = 254, 255
_SMALLER_COPY, _MASK = 1, 4  # bits of the subfile type
# type of a tag's values -> character of `struct`; rationals are two integers a value
_CHARACTERS = dict(enumerate('BcHIIbBhiiifdI', start=1)) | {16: 'Q', 17: 'q', 18: 'Q'}
_RATIONALS = (5, 10)
_MOST_PAGES = 20_000
_MOST_TAGS = 4096
_MOST_BYTES_A_TAG = 64 << 20


@dataclass(frozen=True)
class Tag:
    """One tag. kind: TIFF's number of the type of its values. count: of values. data: in the file's byte order."""

    kind: int
    count: int
    data: bytes


def tag_of(order: str, kind: int, *values: int) -> Tag:
    """A tag of integers, such as SHORT or LONG, in this byte order."""
    return Tag(kind, len(values), struct.pack(f'{order}{len(values)}{_CHARACTERS[kind]}', *values))


class TiffFile:
    """The chain of directories of a TIFF file.

    Args:
        file: opened for reading bytes, at any position.

    Attributes:
        order: '<' or '>', the byte order as `struct` writes it.
        pages: offsets of the directories that hold pages: smaller copies (thumbnails) and masks of a page are none,
            unless there is nothing else.
        broken: whether the chain leads out of the file or in a circle, so that pages may be lost.

    Raises:
        ValueError: not a TIFF file, or its first directory cannot be read.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.size = file.seek(0, os.SEEK_END)
        header = self.bytes_at(0, 8)
        if header[:4] not in MAGIC:
            raise ValueError('not a TIFF file')
        self.order = '<' if header[:2] == b'II' else '>'
        self._big = b'+' in header[:4]
        self.broken = False
        directories = self._chain(header)
        self.pages = [offset for offset in directories if self._is_page(offset)] or directories[:1]

    def bytes_at(self, offset: int, count: int) -> bytes:
        """These bytes of the file.

        Raises:
            ValueError: they lie beyond its end.
        """
        if min(offset, count) < 0 or offset + count > self.size:
            raise ValueError(f'byte {offset + count} is needed, the file ends at {self.size}')
        self._file.seek(offset)
        return self._file.read(count)

    def bytes_up_to(self, offset: int, count: int) -> bytes:
        """These bytes of the file, as far as it goes."""
        return self.bytes_at(offset, min(count, self.size - offset)) if offset < self.size else b''

    def tags(self, offset: int) -> dict[int, Tag]:
        """The tags of the directory at this offset; those are left out whose values cannot be read.

        Raises:
            ValueError: the directory itself lies beyond the end of the file.
        """
        tags = {}
        for number, kind, count, field in self._entries(offset):
            width = struct.calcsize(_CHARACTERS.get(kind, 'B')) * (2 if kind in _RATIONALS else 1)
            size = width * count
            if size <= len(field):
                tags[number] = Tag(kind, count, field[:size])
                continue
            place = self._number(field)
            if kind in _CHARACTERS and size <= _MOST_BYTES_A_TAG and place + size <= self.size:
                tags[number] = Tag(kind, count, self.bytes_at(place, size))
        return tags

    def numbers(self, tag: Tag) -> Sequence[int]:
        """The values of a tag of integers; none for a tag of another type."""
        character = _CHARACTERS.get(tag.kind, 'f')
        if character in 'cfd' or tag.kind in _RATIONALS:
            return ()
        return struct.unpack(f'{self.order}{tag.count}{character}', tag.data)

    def _chain(self, header: bytes) -> list[int]:
        offset = self._number(self.bytes_at(8, 8) if self._big else header[4:])
        directories: dict[int, None] = {}
        while offset:
            if offset in directories or len(directories) == _MOST_PAGES:
                self.broken = True
                break
            try:
                entries = self._entries(offset)
                after = offset + (8 if self._big else 2) + len(entries) * (20 if self._big else 12)
                following = self._number(self.bytes_at(after, 8 if self._big else 4))
            except ValueError:
                if not directories:
                    raise
                self.broken = True
                break
            directories[offset] = None
            offset = following
        if not directories:
            raise ValueError('a TIFF file without a page')
        return list(directories)

    def _is_page(self, offset: int) -> bool:
        for number, kind, count, field in self._entries(offset):
            if number in (_SUBFILE_TYPE, _OLD_SUBFILE_TYPE) and count == 1 and kind in (SHORT, LONG):
                value = self.numbers(Tag(kind, 1, field[: 2 if kind == SHORT else 4]))[0]
                if number == _SUBFILE_TYPE:
                    return not value & (_SMALLER_COPY | _MASK)
                return value != 2  # a smaller copy, before there were bits
        return True

    def _entries(self, offset: int) -> list[tuple[int, int, int, bytes]]:
        """Number, type, count and the field of value or offset of each tag."""
        width, layout = (20, 'HHQ8s') if self._big else (12, 'HHI4s')
        head = self.bytes_at(offset, 8 if self._big else 2)
        count = self._number(head)
        if count > _MOST_TAGS:
            raise ValueError(f'a TIFF directory of {count} tags')
        return list(struct.iter_unpack(self.order + layout, self.bytes_at(offset + len(head), count * width)))

    def _number(self, field: bytes) -> int:
        return int.from_bytes(field, 'little' if self.order == '<' else 'big')
