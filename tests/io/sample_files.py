"""A small file of each kind that is read, in memory."""

import io

import cv2
import numpy as np
import pillow_heif
import pillow_jxl  # noqa: F401 registers itself
import tifffile
from PIL import Image, ImageCms
from skimage.data import astronaut

ORIENTATION, MAKE = 274, 271


def small_photo() -> np.ndarray:
    """A face (40, 32, 3), RGB."""
    return np.ascontiguousarray(cv2.resize(astronaut()[40:200, 160:288], (32, 40), interpolation=cv2.INTER_AREA))


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    """The bytes of the image as a file of one of Pillow's formats."""
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def tiff(pixels: np.ndarray, **options: object) -> bytes:
    """The bytes of the pixels as a TIFF file of tifffile's."""
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, pixels, metadata=None, **options)
    return buffer.getvalue()


def sample_files() -> dict[str, bytes]:
    """Name -> bytes."""
    pillow_heif.register_heif_opener()
    rgb = small_photo()
    photo, deep = Image.fromarray(rgb), rgb.astype(np.uint16) * 257
    alpha = np.dstack((rgb, rgb[..., 0]))
    grey, palette, cmyk = photo.convert('L'), photo.quantize(32), photo.convert('CMYK')
    exif = Image.Exif()
    exif[ORIENTATION], exif[MAKE] = 6, 'Maker'
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile('sRGB')).tobytes()
    planes = np.moveaxis(deep, 2, 0)
    files = {
        'jpeg': encoded(photo, 'JPEG', exif=exif.tobytes(), icc_profile=profile),
        'jpeg_progressive': encoded(photo, 'JPEG', progressive=True),
        'jpeg_restarts': encoded(photo, 'JPEG', restart_marker_blocks=2),
        'jpeg_grey': encoded(grey, 'JPEG'),
        'jpeg_cmyk': encoded(cmyk, 'JPEG'),
        'mpo': encoded(photo, 'MPO', save_all=True, append_images=[photo]),
        'png': encoded(photo, 'PNG', exif=exif.tobytes(), icc_profile=profile),
        'png_alpha': encoded(Image.fromarray(alpha), 'PNG'),
        'png_palette': encoded(palette, 'PNG', transparency=3),
        'png_deep': cv2.imencode('.png', deep)[1].tobytes(),
        'apng': encoded(photo, 'PNG', save_all=True, append_images=[photo.rotate(90)]),
        'webp': encoded(photo, 'WEBP', exif=exif.tobytes()),
        'webp_lossless': encoded(Image.fromarray(alpha), 'WEBP', lossless=True),
        'bmp': encoded(photo, 'BMP'),
        'bmp_palette': encoded(palette, 'BMP'),
        'gif': encoded(palette, 'GIF', save_all=True, append_images=[palette.rotate(180)]),
        'ppm': encoded(photo, 'PPM'),
        'pgm_deep': cv2.imencode('.pgm', deep[..., 0])[1].tobytes(),
        'avif': encoded(photo, 'AVIF', exif=exif.tobytes()),
        'heif': encoded(photo, 'HEIF', exif=exif.tobytes()),
        'jxl': encoded(photo, 'JXL', exif=exif.tobytes()),
        'jpeg2000': encoded(photo, 'JPEG2000'),
        'jpeg2000_deep': cv2.imencode('.jp2', deep)[1].tobytes(),
        'tiff': encoded(photo, 'TIFF', exif=exif, icc_profile=profile),
        'tiff_lzw': encoded(photo, 'TIFF', compression='tiff_lzw', tiffinfo={317: 2}),
        'tiff_deflate': tiff(rgb, compression='zlib', rowsperstrip=8, photometric='rgb'),
        'tiff_jpeg': encoded(photo, 'TIFF', compression='jpeg', strip_size=1536),
        'tiff_group4': encoded(photo.convert('1'), 'TIFF', compression='group4'),
        'tiff_palette': encoded(palette, 'TIFF', compression='packbits'),
        'tiff_cmyk': encoded(cmyk, 'TIFF'),
        'tiff_tiles': tiff(rgb, tile=(16, 16), photometric='rgb'),
        'tiff_pages': encoded(photo, 'TIFF', save_all=True, append_images=[photo.rotate(90)]),
        'tiff_deep': tiff(deep, photometric='rgb', rowsperstrip=8),
        'tiff_deep_planes': tiff(
            planes, photometric='rgb', planarconfig='separate', compression='zlib', predictor=True
        ),
        'tiff_deep_tiles': tiff(deep, photometric='rgb', tile=(16, 16), byteorder='>'),
        'tiff_white_is_zero': tiff(deep[..., 0], photometric='miniswhite', byteorder='>'),
        'bigtiff': tiff(rgb, bigtiff=True, photometric='rgb'),
    }
    return files
