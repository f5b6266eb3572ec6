"""The chunks of a PNG file (PNG specification, third edition, chapter 5)."""

import struct
import zlib
from collections.abc import Iterator

SIGNATURE = b'\x89PNG\r\n\x1a\n'
HEADER_END = 33  # signature, then the 25 bytes of the header chunk


def walk(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Kind and content of each chunk except the pixels'; ends where the file is damaged."""
    position = len(SIGNATURE)
    while position + 8 <= len(data):
        length, kind = struct.unpack_from('>I4s', data, position)
        if position + 12 + length > len(data):
            return
        if kind != b'IDAT':
            yield kind, data[position + 8 : position + 8 + length]
        position += 12 + length


def chunk(kind: bytes, content: bytes) -> bytes:
    """A chunk with its length and check sum."""
    return struct.pack('>I', len(content)) + kind + content + struct.pack('>I', zlib.crc32(kind + content))


def inflate(data: bytes, *, most: int = 2**26) -> bytes:
    """What a compressed text or profile holds; raises ValueError where it is damaged or longer than `most` bytes."""
    stream = zlib.decompressobj()
    try:
        inflated = stream.decompress(data, most)
    except zlib.error as error:
        raise ValueError('damaged compressed data') from error
    if not stream.eof:
        raise ValueError('damaged or very long compressed data')
    return inflated
