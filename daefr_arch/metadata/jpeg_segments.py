"""The marker segments of a JPEG file before its pixels (ITU-T T.81, annex B), as far as metadata is concerned."""

import struct
from collections.abc import Iterator

APP0, APP1, APP2, APP13, APP14, COM = 0xE0, 0xE1, 0xE2, 0xED, 0xEE, 0xFE
LONGEST = 65_533  # bytes of a segment's content
_START_OF_SCAN = 0xDA
_ALONE = {0x01, *range(0xD0, 0xD9)}  # markers without a content


def walk(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Marker and content of each segment up to the first scan; ends where the file is damaged."""
    position = 2
    while position + 4 <= len(data) and data[position] == 0xFF:
        marker = data[position + 1]
        if marker == 0xFF:  # fill byte
            position += 1
            continue
        if marker in _ALONE:
            position += 2
            continue
        (length,) = struct.unpack_from('>H', data, position + 2)
        if marker == _START_OF_SCAN or position + 2 + length > len(data):
            return
        yield marker, data[position + 4 : position + 2 + length]
        position += 2 + length


def segment(marker: int, content: bytes) -> bytes:
    """A segment of at most LONGEST bytes of content."""
    return struct.pack('>BBH', 0xFF, marker, len(content) + 2) + content
