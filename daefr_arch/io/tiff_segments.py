"""Strips and tiles of a TIFF page that the file does not hold, or not whole: blank ones in the same compression."""

import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

UNCOMPRESSED, LZW, JPEG, PACKBITS = 1, 5, 7, 32773
DEFLATE = (8, 32946)
_LARGEST = 1 << 31  # bytes of an unpacked segment
_LARGEST_TILE = 1 << 24  # pixels, of a small page
_STEP = 256  # bytes to inflate at once: of a step with an error nothing is known
_END_OF_IMAGE = b'\xff\xd9'


@dataclass(frozen=True)
class SegmentLayout:
    """How a page is cut. width, height: of the page. segment_width, segment_height: of a tile, or of a strip.

    samples: of a pixel. separate: whether each sample has its own strips or tiles.
    """

    width: int
    height: int
    segment_width: int
    segment_height: int
    tiled: bool
    bits: int
    samples: int
    separate: bool
    compression: int

    def __post_init__(self) -> None:
        sizes = (self.width, self.height, self.segment_width, self.segment_height, self.bits, self.samples)
        too_large = self.tiled and self.segment_width * self.segment_height > max(
            4 * self.width * self.height, _LARGEST_TILE
        )
        if min(sizes) < 1 or self.bits > 64 or self.samples > 64 or too_large:
            raise ValueError(f'a page that cannot be: {self}')

    @property
    def a_plane(self) -> int:
        """Strips or tiles of a plane."""
        across = math.ceil(self.width / self.segment_width)
        return across * math.ceil(self.height / self.segment_height)

    @property
    def count(self) -> int:
        """Strips or tiles of the page."""
        return self.a_plane * (self.samples if self.separate else 1)

    def rows(self, index: int) -> int:
        """Rows of a strip or tile; the last strip may have fewer."""
        if self.tiled:
            return self.segment_height
        return min(self.segment_height, self.height - index % self.a_plane * self.segment_height)

    def unpacked_size(self, index: int) -> int:
        """Bytes of a strip or tile before compression."""
        samples = 1 if self.separate else self.samples
        size = math.ceil(self.segment_width * samples * self.bits / 8) * self.rows(index)
        if size > _LARGEST:
            raise ValueError(f'a strip or tile of {size} bytes')
        return size

    def unstated_size(self, index: int) -> int:
        """Bytes in the file of a strip or tile whose size is given as 0; 1, which cannot be, where none can tell."""
        return self.unpacked_size(index) if self.compression == UNCOMPRESSED else 1


def completed(layout: SegmentLayout, found: Sequence[tuple[bytes, int]]) -> tuple[list[bytes], float]:
    """The strips or tiles, each of them whole, and which share in [0, 1] of them was lost.

    found: the bytes that there are of each, and how many there should be; b'', 0 for one that was never written.

    Raises:
        ValueError: one is missing, and there are no blank ones in this compression.
    """
    whole: list[bytes] = []
    lost = 0.0
    model = next((data for data, size in found if data and len(data) == size), b'')
    blanks: dict[int, bytes] = {}  # one for all of a height, so that they share their memory
    for index, (data, size) in enumerate(found):
        held = 1.0
        if len(data) < size or not size:
            filled, held = _continued(layout, index, data) if data else (None, 0.0)
            rows = layout.rows(index)
            if filled is None and rows not in blanks:
                blanks[rows] = blank(layout, index, model)
            data = filled or blanks[rows]
        whole.append(data)
        lost += 1 - held if size else 0
    return whole, lost / max(1, len(found))


def blank(layout: SegmentLayout, index: int, model: bytes) -> bytes:
    """A black strip or tile, a grey one for JPEG, in the page's compression. model: another one, which JPEG needs.

    Raises:
        ValueError: there is none in this compression.
    """
    size = layout.unpacked_size(index)
    if layout.compression == UNCOMPRESSED:
        return bytes(size)
    if layout.compression in DEFLATE:
        return zlib.compress(bytes(size), 1)
    if layout.compression == LZW:
        return _lzw_of_zeros(size)
    if layout.compression == PACKBITS:
        return b'\x81\0' * math.ceil(size / 128)
    if layout.compression == JPEG and model:
        return _jpeg_without_pixels(model, layout.rows(index))
    raise ValueError(f'the file is cut, and of compression {layout.compression} only whole strips can be read')


def _continued(layout: SegmentLayout, index: int, data: bytes) -> tuple[bytes | None, float]:
    """A whole strip or tile that begins with `data`, and the share that is held; None where it cannot be continued."""
    size = layout.unpacked_size(index)
    if layout.compression == UNCOMPRESSED:
        return data[:size].ljust(size, b'\0'), min(1.0, len(data) / size)
    if layout.compression in DEFLATE:
        unpacked = inflated(data, most=size)
        return zlib.compress(unpacked.ljust(size, b'\0'), 1), len(unpacked) / size
    if layout.compression == JPEG and b'\xff\xda' in data and not data.endswith(_END_OF_IMAGE):
        return data + _END_OF_IMAGE, 0.5  # of what remains one only knows that it is some
    return None, 0.0


def inflated(data: bytes, *, most: int) -> bytes:
    """What is left of a zlib stream that is cut or damaged, at most this many bytes."""
    stream, parts = zlib.decompressobj(), []
    try:
        for start in range(0, len(data), _STEP):
            parts.append(stream.decompress(data[start : start + _STEP], most))
            most -= len(parts[-1])
            if most <= 0 or stream.eof:
                break
    except zlib.error:
        pass  # what came before stands
    return b''.join(parts)


def _lzw_of_zeros(size: int) -> bytes:
    """TIFF 6.0, section 13: zeros as codes of 9 bits, with the table cleared (256) before codes grow longer."""
    codes = np.zeros(size + size // 200 + 1, np.uint16)
    codes[::201] = 256
    bits = (np.append(codes, 257)[:, None] >> np.arange(8, -1, -1)) & 1
    return np.packbits(bits.astype(np.uint8).ravel()).tobytes()


def _jpeg_without_pixels(model: bytes, rows: int) -> bytes:
    """The JPEG stream with this many rows and nothing in them, which decoders fill with grey."""
    position = 2
    while model[position] == 0xFF and position + 9 < len(model):
        marker, length = model[position + 1], int.from_bytes(model[position + 2 : position + 4], 'big')
        if marker in (0xC0, 0xC1, 0xC2):  # the frame: its height
            model = model[: position + 5] + rows.to_bytes(2, 'big') + model[position + 7 :]
        position += 2 + length
        if marker == 0xDA:
            return model[:position] + _END_OF_IMAGE
    raise ValueError('a JPEG strip or tile without pixels')
