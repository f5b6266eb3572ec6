"""WebP files that end early: their upper rows, as a sound file.

Decoders want the file to be as long as it says, and make something of whatever stands there. What comes out differently
with something else there is not the photo.
"""

from io import BytesIO

import numpy as np
from PIL import Image

from daefr_arch.io.pillow_files import load_image, open_image

_FILLS = (b'\0', b'\x5a')
_HEADER = 12  # RIFF, size, WEBP
_PIXELS = (b'VP8 ', b'VP8L')
_MOST_LOST = 20  # the whole over what is held: files that hold less are refused before


def share_held(data: bytes) -> float:
    """Which share of its bytes a file has; 1 for a file that is no WebP."""
    if not (data.startswith(b'RIFF') and data[8:_HEADER] == b'WEBP'):
        return 1.0
    return min(1.0, len(data) / (int.from_bytes(data[4:8], 'little') + 8))


def padded(data: bytes, fill: bytes = _FILLS[0]) -> bytes:
    """The file up to the end of its pixels, with more behind them than a decoder can ask for.

    Raises:
        ValueError: it is cut before its pixels.
    """
    position = _HEADER
    while position + 8 <= len(data):
        kind, size = data[position : position + 4], int.from_bytes(data[position + 4 : position + 8], 'little')
        if kind in _PIXELS:
            held = data[position + 8 : position + 8 + size]
            more = 4 * min(size, _MOST_LOST * len(data)) + (1 << 16)
            body = data[_HEADER:position] + kind + more.to_bytes(4, 'little') + held.ljust(more, fill)
            return b'RIFF' + (len(body) + 4).to_bytes(4, 'little') + b'WEBP' + body
        position += 8 + size + size % 2
    raise ValueError('cut before its pixels')


def mended(data: bytes) -> tuple[bytes, float] | None:
    """The file with black for what is missing, and the share of its rows that is lost; None if it is not cut."""
    if share_held(data) == 1:
        return None
    pixels, other = (_decoded(padded(data, fill)) for fill in _FILLS)
    differing = (np.asarray(pixels) != np.asarray(other)).reshape(pixels.height, -1).any(axis=1)
    held = int(np.argmax(differing)) if differing.any() else pixels.height
    pixels.paste(0, (0, held, pixels.width, pixels.height))
    buffer = BytesIO()
    pixels.save(buffer, 'WEBP', lossless=True, quality=0, exact=True, icc_profile=pixels.info.get('icc_profile'))
    return buffer.getvalue(), 1 - held / pixels.height


def _decoded(data: bytes) -> Image.Image:
    image = open_image(data)
    load_image(image)
    return image
