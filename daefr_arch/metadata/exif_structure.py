"""The directories of an EXIF block, which is a TIFF structure, in memory: what stands in each and where.

TIFF 6.0, section 2. Types and values are not interpreted beyond what is asked for, so that an odd type, such as a
number as the maker's name, is no reason to fail.
"""

import struct
from dataclasses import dataclass
from functools import cached_property

SHORT, LONG, RATIONAL = 3, 4, 5
# bytes of a value, by type
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
_NUMBERS = {1: 'B', 3: 'H', 4: 'I', 13: 'I'}
_MOST_ENTRIES = 4096


@dataclass(frozen=True)
class Entry:
    """A tag of a directory.

    position: where the entry itself stands. start, raw: where its value stands, and its bytes, in the block's order.
    """

    tag: int
    type: int
    count: int
    position: int
    start: int
    raw: bytes


@dataclass(frozen=True)
class Directory:
    """Entries by tag. link: where the offset of the next directory stands. next: that offset, 0 after the last."""

    entries: dict[int, Entry]
    link: int
    next: int


class ExifStructure:
    """An EXIF block, or a TIFF file in memory. Everything raises ValueError where it is damaged."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        if data[:4] not in (b'II*\0', b'MM\0*'):
            raise ValueError('no TIFF structure')
        self.order = '<' if data[:2] == b'II' else '>'

    @cached_property
    def first(self) -> Directory:
        """The first directory."""
        return self.directory(self._unpack('I', 4)[0])

    def directory(self, offset: int) -> Directory:
        """The directory at an offset; entries of unknown types, or whose value is not there, are left out."""
        (count,) = self._unpack('H', offset)
        if count > _MOST_ENTRIES:
            raise ValueError(f'{count} entries in a directory')
        entries = {}
        for position in range(offset + 2, offset + 2 + 12 * count, 12):
            tag, kind, values, start = self._unpack('HHII', position)
            length = _SIZES.get(kind, 0) * values
            start = start if length > 4 else position + 8
            if length and start + length <= len(self.data):
                entries[tag] = Entry(tag, kind, values, position, start, self.data[start : start + length])
        link = offset + 2 + 12 * count
        return Directory(entries, link, self._unpack('I', link)[0] if link < len(self.data) else 0)

    def number(self, directory: Directory, tag: int) -> int | None:
        """The first whole number of an entry; None where there is none."""
        entry = directory.entries.get(tag)
        if entry is None or entry.type not in _NUMBERS:
            return None
        return int(struct.unpack_from(self.order + _NUMBERS[entry.type], entry.raw)[0])

    def fraction(self, directory: Directory, tag: int) -> float | None:
        """The first fraction of an entry; None where there is none."""
        entry = directory.entries.get(tag)
        if entry is None or entry.type != RATIONAL:
            return None
        above, below = struct.unpack_from(self.order + 'II', entry.raw)
        return above / below if below else None

    def below(self, directory: Directory, pointer: int) -> Directory | None:
        """The directory that an entry points to; None where there is none."""
        offset = self.number(directory, pointer)
        return self.directory(offset) if offset else None

    def _unpack(self, layout: str, position: int) -> tuple[int, ...]:
        try:
            return struct.unpack_from(self.order + layout, self.data, position)
        except struct.error as error:
            raise ValueError(f'the structure ends before byte {position}') from error


# type, count, bytes; or a directory of its own
Value = tuple[int, int, bytes] | dict[int, 'Value']


def serialise(order: str, directory: dict[int, Value], *, offset: int = 8) -> bytes:
    """A directory as it stands at an offset, with its values, and the directories below it, behind it."""
    behind = offset + 2 + 12 * len(directory) + 4
    entries, values = b'', b''
    for tag, value in sorted(directory.items(), key=lambda item: item[0]):
        start = behind + len(values)
        if isinstance(value, dict):
            kind, count, raw, is_inline = LONG, 1, serialise(order, value, offset=start), False
        else:
            kind, count, raw = value
            is_inline = len(raw) <= 4
        field = raw.ljust(4, b'\0') if is_inline else struct.pack(f'{order}I', start)
        entries += struct.pack(f'{order}HHI', tag, kind, count) + field
        if not is_inline:
            values += raw + b'\0' * (len(raw) % 2)
    return struct.pack(f'{order}H', len(directory)) + entries + bytes(4) + values


def header(order: str, first: int = 8) -> bytes:
    """The eight bytes before the first directory."""
    return (b'II' if order == '<' else b'MM') + struct.pack(f'{order}HI', 42, first)
