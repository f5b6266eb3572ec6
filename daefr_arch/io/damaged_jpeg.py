"""JPEG files that end early, or that hold fewer pixels than they say.

libjpeg fills what is missing with grey and goes on, which Pillow does not tell. A block that was decoded is grey only
by chance, and costs bits of the file; a block that is not there costs none. From that one knows which it is.
"""

import math
import struct
from dataclasses import dataclass

import numpy as np
from PIL import Image

from daefr_arch.io.pillow_files import load_image, open_image

_START_OF_SCAN, _END = b'\xff\xda', b'\xff\xd9'
_ALONE = {0x01, *range(0xD0, 0xD9)}  # markers without a content
_NOT_FRAMES = {0xC4, 0xC8, 0xCC}
# frame -> the fewest bits of a block: a code of DC, and one that ends AC, which a progressive file may state for many
_FEWEST_BITS = {0xC0: 2, 0xC1: 2, 0xC2: 1}
_ZEROS = 64  # at the end of a file: a disk's, not a photo's
_GREY = (127, 128)  # what zero coefficients are, as they are and inverted (CMYK)
_LEAST_ROWS, _HIGHEST_BLOCKS = 8, 32


@dataclass(frozen=True)
class _Frame:
    """kind: marker of the frame. blocks: of 8x8 pixels, all components. scan: where the first scan begins."""

    kind: int
    blocks: int
    scan: int


def held_at_most(data: bytes) -> float:
    """Which share in [0, 1] of the pixels that a JPEG file states its bytes can hold at most."""
    frame = _frame(data)
    if frame is None or frame.kind not in _FEWEST_BITS:
        return 1.0
    return min(1.0, (_end(data, frame) - frame.scan) * 8 / (frame.blocks * _FEWEST_BITS[frame.kind]))


def without_empty_end(data: bytes) -> bytes:
    """The file without the zeros that a broken copy ends with; they would be decoded as if they were the photo."""
    bare = data.rstrip(b'\0')
    frame = _frame(data)
    cut = frame is not None and len(data) - len(bare) >= _ZEROS and data.find(_END, frame.scan) < 0
    return bare if cut else data


def mended(data: bytes) -> tuple[bytes, float | None]:
    """The file with an end, and the share of its rows that is lost; None for a progressive one that has every row."""
    frame = _frame(data)
    if frame is None:
        return data, 1.0
    whole = data + _END
    with open_image(whole) as image:
        load_image(image)
        rows = _grey_rows(image)
        is_blurred = frame.kind == 0xC2 and not rows
        return whole, None if is_blurred else rows / image.height


def missing_rows(image: Image.Image, data: bytes) -> int:
    """How many rows at the lower end of a decoded JPEG image its file does not hold, though it has an end."""
    rows = _grey_rows(image)
    frame = _frame(data) if rows else None
    if frame is None:
        return 0
    # more code before the end changes the picture only where there was too little
    end = _end(data, frame)
    more = b''.join(b'\x5a' * 64 + bytes((0xFF, 0xD0 + index)) for index in range(8))
    with open_image(data[:end] + more + _END) as continued:
        load_image(continued)
        # the row of blocks in which the file ends is grey in part only
        lower = (0, max(0, image.height - rows - _HIGHEST_BLOCKS), image.width, image.height)
        return 0 if image.crop(lower).tobytes() == continued.crop(lower).tobytes() else rows


def _grey_rows(image: Image.Image) -> int:
    """Rows at the lower end in which every sample is that of zero coefficients; 0 if there are fewer than a block's."""
    rows = 0
    while rows < image.height:
        step = min(max(_LEAST_ROWS, rows), image.height - rows)
        bottom = image.height - rows
        band = np.asarray(image.crop((0, bottom - step, image.width, bottom))).reshape(step, -1)
        grey = np.isin(band, _GREY).all(axis=1) & (band == band[-1:, :1]).all(axis=1)
        if not grey.all():
            rows += int(np.argmin(grey[::-1]))
            break
        rows += step
    return rows if rows >= min(_LEAST_ROWS, image.height) else 0


def _end(data: bytes, frame: _Frame) -> int:
    """Where the pixels end: codes have no 0xFF without a 0 behind it."""
    end = data.find(_END, frame.scan)
    return end if end >= 0 else len(data)


def _frame(data: bytes) -> _Frame | None:
    """None if the file ends before its first scan."""
    position = 2
    kind = blocks = 0
    while position + 4 <= len(data) and data[position] == 0xFF:
        marker = data[position + 1]
        if marker == 0xFF or marker in _ALONE:
            position += 1 if marker == 0xFF else 2
            continue
        (length,) = struct.unpack_from('>H', data, position + 2)
        if marker == _START_OF_SCAN[1]:
            return _Frame(kind, blocks, position + 2 + length) if blocks else None
        if 0xC0 <= marker <= 0xCF and marker not in _NOT_FRAMES:
            kind, blocks = marker, _blocks(data[position + 4 : position + 2 + length])
        position += 2 + length
    return None


def _blocks(frame: bytes) -> int:
    """ITU-T T.81, B.2.2 and A.2: blocks of 8x8 samples of all components."""
    if len(frame) < 6 or len(frame) < 6 + 3 * frame[5]:
        return 0
    height, width = struct.unpack_from('>HH', frame, 1)
    factors = [(frame[place] >> 4, frame[place] & 15) for place in range(7, 6 + 3 * frame[5], 3)]
    across, down = (max((factor[axis] for factor in factors), default=0) for axis in (0, 1))
    if not across or not down:
        return 0
    units = math.ceil(width / (8 * across)) * math.ceil(height / (8 * down))
    return units * sum(horizontal * vertical for horizontal, vertical in factors)
