"""A photo as the bytes of a PNG, JPEG or WebP file, with its alpha, depth and metadata where the format has them.

OpenCV writes PNG (several times faster than Pillow, and 16-bit colour), Pillow the others.
"""

import zlib
from io import BytesIO

import cv2
import numpy as np
from PIL import Image

from daefr_arch.errors import InputError
from daefr_arch.io.photo import Photo, as_uint8
from daefr_arch.metadata.metadata import Metadata
from daefr_arch.metadata.png_chunks import HEADER_END, chunk
from daefr_arch.metadata.stated_colour import chunks_profile
from daefr_arch.metadata.writing import Lost, for_webp, in_jpeg, in_png, sentences

# extension -> name of the format
WRITABLE = {'.png': 'PNG', '.jpg': 'JPEG', '.jpeg': 'JPEG', '.webp': 'WEBP'}
# the longest side that the format can state
_LONGEST_SIDE = {'PNG': 2**31 - 1, 'JPEG': 65_500, 'WEBP': 16_383}


def encode(photo: Photo, extension: str, *, quality: int) -> tuple[bytes, tuple[str, ...]]:
    """The bytes of the photo as a file of this extension (a key of WRITABLE), and a warning for all that is lost.

    PNG keeps alpha and 16 bits, WebP alpha, JPEG neither. `quality`, 1 to 100, is that of JPEG (without chroma
    subsampling) and WebP.

    Raises:
        InputError: the photo is larger than the format allows.
    """
    name = WRITABLE[extension]
    height, width = photo.pixels.shape[:2]
    longest = _LONGEST_SIDE[name]
    if max(height, width) > longest:
        raise InputError(f'{width}x{height} pixels are too large for {name} (at most {longest} a side): use .png')
    encode_as = {'PNG': _as_png, 'JPEG': _as_jpeg, 'WEBP': _as_webp}[name]
    encoded, lost = encode_as(photo, photo.metadata.resized(width, height), quality)
    warnings = sentences(name, lost)
    if name != 'PNG' and photo.pixels.dtype != np.uint8:
        warnings += (f'{name} holds 8 bits a channel: the 16 bits of the photo are rounded',)
    return encoded, warnings


def _as_jpeg(photo: Photo, metadata: Metadata, quality: int) -> tuple[bytes, Lost]:
    image = Image.fromarray(as_uint8(_one_channel(photo))) if _fits_one_channel(photo) else _pillow_image(photo)
    buffer = BytesIO()
    image.save(buffer, 'JPEG', quality=quality, subsampling=0, icc_profile=photo.icc_profile)
    encoded, lost = in_jpeg(buffer.getvalue(), metadata)
    return encoded, lost if photo.alpha is None else ('transparency', *lost)


def _as_webp(photo: Photo, metadata: Metadata, quality: int) -> tuple[bytes, Lost]:
    blocks, lost = for_webp(metadata)
    buffer = BytesIO()
    _pillow_image(photo, photo.alpha).save(buffer, 'WEBP', quality=quality, icc_profile=photo.icc_profile, **blocks)
    return buffer.getvalue(), lost


def _as_png(photo: Photo, metadata: Metadata, quality: int) -> tuple[bytes, Lost]:
    pixels = photo.pixels
    if photo.alpha is not None:
        pixels = np.dstack((pixels, photo.alpha))
    elif _fits_one_channel(photo):
        pixels = _one_channel(photo)
    encoded = cv2.imencode('.png', pixels)[1].tobytes()
    profile = b''
    # OpenCV writes no metadata: insert its chunks behind the header
    if photo.icc_profile and photo.icc_profile != chunks_profile(metadata.colour):
        profile = chunk(b'iCCP', b'ICC Profile\0\0' + zlib.compress(photo.icc_profile))
    return in_png(encoded[:HEADER_END] + profile + encoded[HEADER_END:], metadata, HEADER_END + len(profile))


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
