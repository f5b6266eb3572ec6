"""Image files: the one loader and the one saver of the project.

Pillow reads (it refuses truncated files, knows EXIF, ICC, CMYK and palettes) except the 16-bit samples that it would
reduce to 8 bits, which OpenCV decodes.
"""

import logging
import re
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageCms, UnidentifiedImageError

from daefr_arch.choices import MAX_PIXELS
from daefr_arch.errors import InputError
from daefr_arch.io.atomic_file import write_bytes
from daefr_arch.io.colour_space import settle_colours
from daefr_arch.io.damage import Contents, damage, mended
from daefr_arch.io.damaged_jpeg import missing_rows
from daefr_arch.io.image_contents import check_size, page_count, read_contents
from daefr_arch.io.image_encoding import WRITABLE, encode
from daefr_arch.io.image_formats import format_of, readable_formats
from daefr_arch.io.photo import Photo
from daefr_arch.io.pillow_files import DAMAGED, load_image, open_image
from daefr_arch.metadata.metadata import SRGB
from daefr_arch.metadata.reading import read_metadata
from daefr_arch.metadata.stated_colour import stated_profile

__all__ = ['page_count', 'read_image', 'write_image']

_DAMAGED = 'truncated, damaged or unsupported image'
_BAND_ROWS = 256
_DEEP_PPM = re.compile(rb'P6(?:(?:\s|#[^\n]*\n)+\d+){2}(?:\s|#[^\n]*\n)+65535\s')
_J2K_SIZE = b'\xff\x4f\xff\x51'  # start of a JPEG 2000 code stream, then its sizes
_logger = logging.getLogger(__name__)


def read_image(path: str | Path, *, max_pixels: int = MAX_PIXELS, page: int = 0, whole: bool = False) -> Photo:
    """Reads an image file: upright (EXIF orientation applied), BGR, 16-bit samples and alpha kept.

    CMYK becomes sRGB through its colour profile; of an animation the first frame is read. Of a file that is cut or
    damaged what is left is read, if it is a twentieth of the photo or more: the photo is `damaged`, its first warning
    says what is missing, which is grey in JPEG files and black in others.

    Args:
        path: the file; its content, not its name, says what format it is.
        max_pixels: the largest width x height that is decoded.
        page: of a TIFF file, counted from 0 as `page_count` counts them.
        whole: refuse damaged files, of which nothing is to be learned or measured.

    Raises:
        InputError: not a file, not an image, damaged, without such a page, or larger than `max_pixels`.
    """
    try:
        photo = _decoded(read_contents(Path(path), page=page, max_pixels=max_pixels), max_pixels)
        if photo.damaged and whole:
            raise InputError(photo.warnings[0])
        if photo.damaged:
            _logger.warning('%s: %s', path, photo.warnings[0])
        return photo
    except InputError as error:
        raise InputError(f'{path}: {error}') from error
    except UnidentifiedImageError as error:
        raise InputError(f'{path}: not an image, or damaged; {_expected(Path(path).name)}') from error
    except MemoryError as error:
        raise InputError(f'{path}: there is not enough memory to read it') from error
    except OSError as error:
        what = f'cannot be read: {error.strerror}' if error.errno else f'{_DAMAGED}: {error}'
        raise InputError(f'{path}: {what}') from error
    except DAMAGED as error:
        raise InputError(f'{path}: {_DAMAGED}: {str(error) or type(error).__name__}') from error


def _expected(name: str) -> str:
    """What to say of a file that nothing reads."""
    image_format = format_of(name)
    if image_format and not image_format.is_read:
        return f'{image_format.name} needs: {image_format.remedy}'
    return f'expected one of {", ".join(readable_formats())}'


def write_image(path: str | Path, image: Photo | np.ndarray, *, quality: int = 95) -> tuple[str, ...]:
    """Writes a photo, or pixels (H, W, 3) BGR or (H, W) grey, uint8 or uint16, in the format of the extension.

    The file appears whole or not at all. Alpha and 16 bits are kept by .png; .webp keeps alpha; .jpg keeps neither.

    Args:
        path: .png, .jpg, .jpeg or .webp (any case); its folder must exist.
        image: what to write; a Photo's colour profile and metadata are written with it, pixels alone are sRGB.
        quality: of .jpg and .webp, 1 to 100.

    Returns:
        What the format cannot hold, a sentence each.

    Raises:
        InputError: the extension is not one of these, or the format cannot hold so large an image.
        OutputError: the file cannot be written (disk full, read-only).
    """
    extension = Path(path).suffix.lower()
    if extension not in WRITABLE:
        raise InputError(f'{path}: cannot write this extension, expected one of {", ".join(WRITABLE)}')
    if not isinstance(image, Photo):
        grey = image.ndim == 2
        image = Photo(cv2.cvtColor(image, cv2.COLOR_GRAY2BGR) if grey else image, grey=grey, metadata=SRGB)
    encoded, warnings = encode(image, extension, quality=quality)
    write_bytes(path, encoded)
    for warning in warnings:
        _logger.warning('%s: %s', path, warning)
    return warnings


def _decoded(contents: Contents, max_pixels: int) -> Photo:
    """The photo, and if need be what is left of it; raises any of DAMAGED."""
    with open_image(contents.data) as image:
        check_size(image.size, max_pixels)
        image_format = image.format or ''
        try:
            photo = _decode(image, contents.data)
            lost = contents.damage or _missing(image, contents.data)
        except DAMAGED as error:
            is_mended = contents.damage is not None or isinstance(error, MemoryError)
            left = None if is_mended else mended(contents.data, image_format)
            if left is None:
                raise
            return _decoded(left, max_pixels)
    return replace(photo, damaged=True, warnings=(lost, *photo.warnings)) if lost else photo


def _missing(image: Image.Image, data: bytes) -> str | None:
    """What an image, though it could be decoded, lacks."""
    rows = missing_rows(image, data) if image.format in ('JPEG', 'MPO') else 0
    return damage(rows / image.height) if rows else None


def _decode(image: Image.Image, data: bytes) -> Photo:
    warnings = []
    # phones append previews to an MPO photo, and bursts to a HEIF one
    if getattr(image, 'is_animated', False) and image.format not in ('HEIF', 'MPO'):
        warnings.append('animation: only the first frame was restored')
    load_image(image)  # before metadata, for which Pillow loads too: a second try after one that failed is quiet
    carried = read_metadata(image, data)
    warnings += carried.warnings
    orientation = 1 if _is_turned_by_decoder(image) else carried.orientation
    icc_profile = stated_profile(image.info.get('icc_profile'), carried.metadata)
    if _is_16_bit(image, data):
        pixels, alpha, grey = _decode_16_bit(data)
    elif image.mode.startswith('I;16') or (image.mode, image.format) == ('I', 'PPM'):
        pixels, alpha, grey = cv2.cvtColor(np.array(image).astype(np.uint16), cv2.COLOR_GRAY2BGR), None, True
    else:
        if image.mode in ('I', 'F'):
            raise ValueError('32 bits a channel, expected 8 or 16')
        if image.mode in ('CMYK', 'LAB'):
            image, icc_profile = _to_srgb(image), None
        pixels, alpha, grey = _decode_8_bit(image)
    pixels, alpha = _upright(pixels, orientation), None if alpha is None else _upright(alpha, orientation)
    grey = grey or all(np.array_equal(pixels[..., 0], pixels[..., channel]) for channel in (1, 2))
    pixels, icc_profile, colour_warnings = settle_colours(pixels, icc_profile, grey=grey)
    warnings += colour_warnings
    return Photo(pixels, alpha, grey, icc_profile, carried.metadata, tuple(warnings))


def _is_turned_by_decoder(image: Image.Image) -> bool:
    """Whether the pixels come upright, whatever EXIF says; JPEG XL's do unless it is a JPEG file in another coat."""
    return image.format in ('HEIF', 'TIFF') or (image.format == 'JXL' and not getattr(image, 'jpeg', False))


def _is_16_bit(image: Image.Image, data: bytes) -> bool:
    """Whether OpenCV is to decode the file, because Pillow would make 8 bits of its 16."""
    if image.format == 'PNG':
        return data[24] == 16  # bit depth of the IHDR chunk
    if image.format == 'TIFF':
        return image.tag_v2.get(258, (8,))[0] == 16 and image.mode != 'CMYK'  # type: ignore[attr-defined]
    if image.format == 'JPEG2000':
        size = data.find(_J2K_SIZE)
        return image.mode in ('RGB', 'RGBA') and data[size + 42 : size + 43] == b'\x0f'  # one less, of the first
    return image.format == 'PPM' and _DEEP_PPM.match(data) is not None


def _decode_16_bit(data: bytes) -> tuple[np.ndarray, np.ndarray | None, bool]:
    decoded = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if decoded is None or decoded.dtype != np.uint16:
        raise ValueError('the 16-bit samples cannot be decoded')
    if decoded.ndim == 2:
        return cv2.cvtColor(decoded, cv2.COLOR_GRAY2BGR), None, True
    alpha = decoded[..., 3].copy() if decoded.shape[2] == 4 else None
    return np.ascontiguousarray(decoded[..., :3]), alpha, False


def _decode_8_bit(image: Image.Image) -> tuple[np.ndarray, np.ndarray | None, bool]:
    grey = image.mode in ('1', 'L', 'LA', 'La')
    if image.has_transparency_data:
        bgra = _converted(image, 'RGBA', cv2.COLOR_RGBA2BGRA)
        return np.ascontiguousarray(bgra[..., :3]), bgra[..., 3].copy(), grey
    return _converted(image, 'RGB', cv2.COLOR_RGB2BGR), None, grey


def _converted(image: Image.Image, mode: str, code: int) -> np.ndarray:
    """The image (H, W, channels) in this mode of Pillow, its channels in the order of OpenCV's conversion code.

    In bands: converting the whole image, and taking its bytes, would each hold one or two copies more of it.
    """
    pixels = np.empty((image.height, image.width, len(mode)), np.uint8)
    for top in range(0, image.height, _BAND_ROWS):
        bottom = min(top + _BAND_ROWS, image.height)
        band = image.crop((0, top, image.width, bottom)).convert(mode)
        pixels[top:bottom] = cv2.cvtColor(np.asarray(band), code)
    return pixels


def _to_srgb(image: Image.Image) -> Image.Image:
    profile = image.info.get('icc_profile')
    if profile:
        try:
            source = ImageCms.ImageCmsProfile(BytesIO(profile))
            converted = ImageCms.profileToProfile(image, source, ImageCms.createProfile('sRGB'), outputMode='RGB')
            return converted or image
        except (ImageCms.PyCMSError, OSError):
            _logger.warning('a damaged %s colour profile was ignored', image.mode)
    return image.convert('RGB')


def _upright(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Undoes EXIF orientation 1-8 of (H, W) or (H, W, 3); any other value is taken as 1."""
    if orientation in (5, 6, 7, 8):
        pixels = pixels.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return np.ascontiguousarray(pixels)
