"""PNG files that end early or whose check sums are wrong: what can be unpacked of them, as a sound file."""

import math
import struct
import zlib
from collections.abc import Iterator

from daefr_arch.io.tiff_segments import inflated
from daefr_arch.metadata.png_chunks import SIGNATURE, chunk

_PALETTE = 3
_LAST_FILTER = 4
_CHANNELS = {0: 1, 2: 3, _PALETTE: 1, 4: 2, 6: 4}
_WRITTEN_ANEW = (b'IHDR', b'IDAT', b'IEND', b'acTL', b'fcTL', b'fdAT')  # of an animation its first frame is left


def mended(data: bytes) -> tuple[bytes, float]:
    """The file with black for what is missing, and the share of its rows that is lost.

    Raises:
        ValueError: there is no header, no palette where one is needed, or the rows are interlaced and incomplete.
    """
    chunks = list(_chunks(data))
    if not chunks or chunks[0][0] != b'IHDR' or len(chunks[0][1]) != 13:
        raise ValueError('cut or damaged in its header')
    width, height, depth, colour, _, _, interlace = struct.unpack('>IIBBBBB', chunks[0][1])
    kept = [(kind, content) for kind, content, is_sound in chunks if is_sound and kind not in _WRITTEN_ANEW]
    if colour == _PALETTE and b'PLTE' not in dict(kept):
        raise ValueError('a palette image without its palette')
    row = 1 + math.ceil(width * depth * _CHANNELS[colour] / 8)
    packed = b''.join(content for kind, content, _ in chunks if kind == b'IDAT')
    rows = inflated(packed, most=row * height if not interlace else 2 * row * height + 7 * height)
    if not interlace:  # what was unpacked behind the damage, before it showed, is of filters that there are not
        rows = rows[: next((start for start in range(0, len(rows), row) if rows[start] > _LAST_FILTER), len(rows))]
    lost = max(0.0, 1 - len(rows) // row / height)
    if interlace and lost > 0:
        raise ValueError('cut or damaged, and interlaced')
    pixels = zlib.compress(rows if interlace else rows.ljust(row * height, b'\0'), 1)
    sound = [chunks[0][:2], *kept, (b'IDAT', pixels), (b'IEND', b'')]
    return SIGNATURE + b''.join(chunk(kind, content) for kind, content in sound), lost


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes, bool]]:
    """Kind and content of each chunk, of the last one what is there, and whether it is as its check sum says."""
    position = len(SIGNATURE)
    while position + 8 <= len(data):
        length, kind = struct.unpack_from('>I4s', data, position)
        content, end = data[position + 8 : position + 8 + length], position + 8 + length
        is_sound = data[end : end + 4] == struct.pack('>I', zlib.crc32(kind + content))
        yield kind, content, is_sound
        position = end + 4
