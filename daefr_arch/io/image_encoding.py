"""A photo as the bytes of a PNG, JPEG or WebP file, with its alpha, depth and metadata where the format has them.

OpenCV writes PNG (several times faster than Pillow, and 16-bit colour), Pillow the others.
"""

import logging
import struct
import zlib
from io import BytesIO

import cv2
import numpy as np
from PIL import Image

from daefr_arch.errors import InputError
from daefr_arch.io.exif import resized_exif
from daefr_arch.io.photo import Photo, as_uint8

# extension -> name of the format
WRITABLE = {'.png': 'PNG', '.jpg': 'JPEG', '.jpeg': 'JPEG', '.webp': 'WEBP'}
# the longest side that the format can state
_LONGEST_SIDE = {'PNG': 2**31 - 1, 'JPEG': 65_500, 'WEBP': 16_383}
_LONGEST_JPEG_EXIF = 65_533
_IHDR_END = 33  # signature, then the 25 bytes of the header chunk

_logger = logging.getLogger(__name__)


def encode(photo: Photo, extension: str, *, quality: int) -> bytes:
    """The bytes of the photo as a file of this extension (a key of WRITABLE).

    PNG keeps alpha and 16 bits, WebP alpha, JPEG neither (a warning says so). `quality`, 1 to 100, is that of JPEG
    (without chroma subsampling) and WebP.

    Raises:
        InputError: the photo is larger than the format allows.
    """
    name = WRITABLE[extension]
    height, width = photo.pixels.shape[:2]
    longest = _LONGEST_SIDE[name]
    if max(height, width) > longest:
        raise InputError(f'{width}x{height} pixels are too large for {name} (at most {longest} a side): use .png')
    exif = photo.exif and resized_exif(photo.exif, width=width, height=height)
    if name == 'PNG':
        return _encode_png(photo, exif)
    if photo.pixels.dtype != np.uint8:
        _logger.warning('%s holds 8 bits a channel: the 16 bits of the photo are rounded', name)
    buffer = BytesIO()
    if name == 'WEBP':
        _pillow_image(photo, photo.alpha).save(
            buffer, 'WEBP', quality=quality, exif=exif or b'', icc_profile=photo.icc_profile
        )
        return buffer.getvalue()

    if photo.alpha is not None:
        _logger.warning('JPEG holds no transparency: it is dropped')
    if exif and len(exif) > _LONGEST_JPEG_EXIF:
        _logger.warning('JPEG holds at most 64 KiB of EXIF: it is dropped')
        exif = None
    image = Image.fromarray(as_uint8(_one_channel(photo))) if _fits_one_channel(photo) else _pillow_image(photo)
    image.save(buffer, 'JPEG', quality=quality, subsampling=0, exif=exif or b'', icc_profile=photo.icc_profile)
    return buffer.getvalue()


def _pillow_image(photo: Photo, alpha: np.ndarray | None = None) -> Image.Image:
    """The colours, and an alpha (H, W), as 8 bits in an array that the image shares instead of copying it."""
    rgba = cv2.cvtColor(as_uint8(photo.pixels), cv2.COLOR_BGR2RGBA)
    if alpha is not None:
        rgba[..., 3] = as_uint8(alpha)
    mode = 'RGBX' if alpha is None else 'RGBA'
    return Image.frombuffer(mode, rgba.shape[1::-1], rgba, 'raw', mode, 0, 1)


def _one_channel(photo: Photo) -> np.ndarray:
    return np.ascontiguousarray(photo.pixels[..., 0])


def _fits_one_channel(photo: Photo) -> bool:
    """Whether the photo is grey, and its profile, if any, one for grey."""
    return photo.grey and (photo.icc_profile is None or photo.icc_profile[16:20] == b'GRAY')


def _encode_png(photo: Photo, exif: bytes | None) -> bytes:
    pixels = photo.pixels
    if photo.alpha is not None:
        pixels = np.dstack((pixels, photo.alpha))
    elif _fits_one_channel(photo):
        pixels = _one_channel(photo)
    encoded = cv2.imencode('.png', pixels)[1].tobytes()
    # OpenCV writes no metadata: insert its chunks behind the header
    chunks = b''
    if photo.icc_profile:
        chunks += _png_chunk(b'iCCP', b'ICC Profile\0\0' + zlib.compress(photo.icc_profile))
    if exif:
        chunks += _png_chunk(b'eXIf', exif.removeprefix(b'Exif\0\0'))
    return encoded[:_IHDR_END] + chunks + encoded[_IHDR_END:]


def _png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data))
