"""Image files: the one loader and the one saver of the project.

Pillow reads (it refuses truncated files, knows EXIF, ICC, CMYK and palettes) except the 16-bit samples that it would
reduce to 8 bits, which OpenCV decodes.
"""

import logging
import os
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageCms, UnidentifiedImageError

from daefr_arch.choices import MAX_PIXELS
from daefr_arch.errors import InputError
from daefr_arch.io.atomic_file import write_bytes
from daefr_arch.io.exif import ORIENTATION, kept_exif
from daefr_arch.io.image_encoding import WRITABLE, encode
from daefr_arch.io.photo import Photo
from daefr_arch.io.tiff_directory import MAGIC as TIFF_MAGIC
from daefr_arch.io.tiff_directory import TiffFile
from daefr_arch.io.tiff_page import TiffPage

FORMATS = ('AVIF', 'BMP', 'GIF', 'JPEG', 'PNG', 'PPM', 'TIFF', 'WEBP')

# what Pillow and OpenCV raise on damaged files
_DAMAGED = (OSError, SyntaxError, ValueError, TypeError, LookupError, EOFError, OverflowError, struct.error, cv2.error)
_PILLOW_WARNS_ABOVE = 80_000_000
_BAND_ROWS = 256
# the largest files: 16 bits of colour and alpha uncompressed, and what is written about them
_MOST_BYTES_A_PIXEL, _METADATA_BYTES = 8, 64 << 20

_logger = logging.getLogger(__name__)
_pillow_limit = threading.Lock()


def page_count(path: str | Path) -> int:
    """The number of pages of a TIFF file; 1 for every other file, also for one that cannot be read.

    Smaller copies (thumbnails) and masks of a page are no pages.
    """
    try:
        with Path(path).open('rb') as file:
            return len(TiffFile(file).pages) if file.read(4) in TIFF_MAGIC else 1
    except (OSError, ValueError):
        return 1  # `read_image` says what is wrong


def image_size(path: str | Path) -> tuple[int, int] | None:
    """(width, height) as the head of an image file says, nothing is decoded; None where that cannot be told."""
    try:
        with _no_pillow_limit(), Image.open(path, formats=FORMATS) as image:
            return image.size
    except _DAMAGED:
        return None


def read_image(path: str | Path, *, max_pixels: int = MAX_PIXELS, page: int = 0) -> Photo:
    """Reads an image file: upright (EXIF orientation applied), BGR, 16-bit samples and alpha kept.

    CMYK becomes sRGB through its colour profile; of an animation the first frame is read.

    Args:
        path: the file; its content, not its name, says what format it is.
        max_pixels: the largest width x height that is decoded.
        page: of a TIFF file, counted from 0 as `page_count` counts them.

    Raises:
        InputError: not a file, not an image, damaged, without such a page, or larger than `max_pixels`.
    """
    try:
        data, orientation = _read(Path(path), page, max_pixels)
    except InputError:
        raise
    except OSError as error:
        raise InputError(f'{path}: cannot be read: {error.strerror}') from error
    except _DAMAGED as error:
        raise InputError(f'{path}: truncated, damaged or unsupported image: {error}') from error
    if not data:
        raise InputError(f'{path}: the file is empty, expected an image')
    try:
        with _open(data) as image:
            width, height = image.size
            if width * height > max_pixels:
                limit = f'more pixels than the limit of {max_pixels}; raise it with --max_pixels'
                raise InputError(f'{path}: {width}x{height} are {limit}')
            return _decode(image, data, orientation)
    except InputError:
        raise
    except UnidentifiedImageError as error:
        raise InputError(f'{path}: not an image, or damaged; expected one of {", ".join(FORMATS)}') from error
    except _DAMAGED as error:
        raise InputError(f'{path}: truncated, damaged or unsupported image: {error}') from error


def _read(path: Path, page: int, max_pixels: int) -> tuple[bytes, int | None]:
    """The bytes of the file, of a TIFF file those of the page; the page's orientation where EXIF does not hold it."""
    with path.open('rb') as file:
        if file.read(4) in TIFF_MAGIC:
            tiff = TiffFile(file)
            _check_page(path, page, len(tiff.pages))
            tiff_page = TiffPage(tiff, tiff.pages[page])
            return tiff_page.as_file(), tiff_page.number(ORIENTATION, 1)
        _check_page(path, page, 1)
        size, most = file.seek(0, os.SEEK_END), _MOST_BYTES_A_PIXEL * max_pixels + _METADATA_BYTES
        if size > most:
            raise InputError(f'{path}: {size} bytes are more than an image of {max_pixels} pixels has (--max_pixels)')
        file.seek(0)
        return file.read(), None


def _check_page(path: Path, page: int, pages: int) -> None:
    if not 0 <= page < pages:
        raise InputError(f'{path}: expected a page from 0 to {pages - 1}, got {page}')


def write_image(path: str | Path, image: Photo | np.ndarray, *, quality: int = 95) -> None:
    """Writes a photo, or pixels (H, W, 3) BGR or (H, W) grey, uint8 or uint16, in the format of the extension.

    The file appears whole or not at all. Alpha and 16 bits are kept by .png; .webp keeps alpha; .jpg keeps neither.

    Args:
        path: .png, .jpg, .jpeg or .webp (any case); its folder must exist.
        image: what to write; EXIF and ICC profile of a Photo are written with it.
        quality: of .jpg and .webp, 1 to 100.

    Raises:
        InputError: the extension is not one of these, or the format cannot hold so large an image.
        OutputError: the file cannot be written (disk full, read-only).
    """
    extension = Path(path).suffix.lower()
    if extension not in WRITABLE:
        raise InputError(f'{path}: cannot write this extension, expected one of {", ".join(WRITABLE)}')
    if not isinstance(image, Photo):
        grey = image.ndim == 2
        image = Photo(cv2.cvtColor(image, cv2.COLOR_GRAY2BGR) if grey else image, grey=grey)
    write_bytes(path, encode(image, extension, quality=quality))


@contextmanager
def _no_pillow_limit() -> Iterator[None]:
    """Lifts Pillow's own limit of pixels, a global of the process: `read_image` checks ours."""
    with _pillow_limit:
        limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS = limit


def _open(data: bytes) -> Image.Image:
    with _no_pillow_limit():
        return Image.open(BytesIO(data), formats=FORMATS)


def _decode(image: Image.Image, data: bytes, orientation: int | None) -> Photo:
    warnings = []
    # phones append previews to an MPO photo
    if getattr(image, 'is_animated', False) and image.format not in ('MPO', 'TIFF'):
        warnings.append('animation: only the first frame was restored')
    exif, icc_profile, lost = _metadata(image)
    if orientation is None:
        orientation = exif.get(ORIENTATION, 1)
    warnings += lost
    exif_block, lost = _kept_metadata(exif)
    warnings += lost
    # some decoders of Pillow check its limit once more; others must not wait for the lock
    with _no_pillow_limit() if image.width * image.height > _PILLOW_WARNS_ABOVE else nullcontext():
        image.load()
    if _is_16_bit(image, data):
        pixels, alpha, grey = _decode_16_bit(data)
    else:
        if image.mode in ('I', 'F'):
            raise ValueError('32 bits a channel, expected 8 or 16')
        if image.mode in ('CMYK', 'LAB'):
            image, icc_profile = _to_srgb(image), None
        pixels, alpha, grey = _decode_8_bit(image)
    pixels, alpha = _upright(pixels, orientation), None if alpha is None else _upright(alpha, orientation)
    grey = grey or all(np.array_equal(pixels[..., 0], pixels[..., channel]) for channel in (1, 2))
    return Photo(pixels, alpha, grey, exif_block, icc_profile, tuple(warnings))


def _metadata(image: Image.Image) -> tuple[Image.Exif, bytes | None, list[str]]:
    """EXIF block, ICC profile, and what of them is lost."""
    try:
        return image.getexif(), image.info.get('icc_profile'), []
    except _DAMAGED:
        return Image.Exif(), image.info.get('icc_profile'), ['the EXIF block is damaged and was dropped']


def _kept_metadata(exif: Image.Exif) -> tuple[bytes | None, list[str]]:
    try:
        return kept_exif(exif), []
    except _DAMAGED:
        return None, ['the EXIF block is damaged and was dropped']


def _is_16_bit(image: Image.Image, data: bytes) -> bool:
    if image.format == 'PNG':
        return data[24] == 16  # bit depth of the IHDR chunk
    if image.format == 'TIFF':
        return image.tag_v2.get(258, (8,))[0] == 16 and image.mode != 'CMYK'  # type: ignore[attr-defined]
    return False


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
