"""What people have instead of sound photos, and what becomes of it: rows that a test runs and docs/photos.md shows."""

import struct
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image
from skimage.data import astronaut

from tests.io.sample_files import encoded, tiff


@dataclass(frozen=True)
class BadInput:
    """A row.

    Attributes:
        file: its name.
        what: what is wrong or unusual about it.
        make: the whole photo (256, 256), with one face -> the file's bytes.
        status: of its line in the report; the same for each of its pages.
        says: what the error (behind the file's name) or the warning begins with; empty where nothing is said.
        faces: in the line.
        size: of the file in bytes, where it is larger than what is made: the rest is a hole.
    """

    file: str
    what: str
    make: Callable[[Image.Image], bytes]
    status: str
    says: str = ''
    faces: int = 1
    size: int | None = None


def sample() -> Image.Image:
    """The photo that all are made of."""
    return Image.fromarray(np.ascontiguousarray(astronaut()[:256, 96:352]))


def _jpeg(photo: Image.Image) -> bytes:
    return encoded(photo, 'JPEG', quality=95)


def _cut(data: bytes, share: float) -> bytes:
    return data[: int(len(data) * share)]


def _with_segment(jpeg: bytes, marker: bytes, content: bytes) -> bytes:
    return jpeg[:2] + marker + struct.pack('>H', len(content) + 2) + content + jpeg[2:]


def _make_is_a_number(photo: Image.Image) -> bytes:
    directory = struct.pack('<HHHII', 1, 271, 5, 1, 26) + struct.pack('<III', 0, 72, 1)
    return _with_segment(_jpeg(photo), b'\xff\xe1', b'Exif\0\0II*\0\x08\0\0\0' + directory)


def _claims_more(photo: Image.Image) -> bytes:
    data = bytearray(_jpeg(photo))
    at = data.index(b'\xff\xc0') + 5
    data[at : at + 4] = struct.pack('>HH', 12000, 12000)
    return bytes(data)


def _without_palette(photo: Image.Image) -> bytes:
    png = encoded(photo.quantize(64), 'PNG')
    start = png.index(b'PLTE') - 4
    return png[:start] + png[start + 12 + int.from_bytes(png[start : start + 4], 'big') :]


def _deep(photo: Image.Image) -> np.ndarray:
    return np.asarray(photo).astype(np.uint16) * 257


BAD_INPUTS = (
    BadInput('empty.jpg', 'a file without a byte', lambda photo: b'', 'error', 'the file is empty', 0),
    BadInput('text.jpg', 'a text', lambda photo: b'no image', 'error', 'not an image, or damaged', 0),
    BadInput(
        'huge.png',
        '30 GB, most of it a hole',
        lambda photo: encoded(photo, 'PNG'),
        'error',
        '30000000000 bytes are more than an image',
        0,
        30_000_000_000,
    ),
    BadInput(
        'claims_more.jpg',
        'claims 12000x12000 pixels, holds 256x256',
        _claims_more,
        'error',
        'truncated, damaged or unsupported image: its bytes hold at most',
        0,
    ),
    BadInput(
        'no_end_marker.jpg',
        'the last two bytes are gone',
        lambda photo: _jpeg(photo)[:-2],
        'damaged',
        'the file is cut or damaged',
    ),
    BadInput(
        'cut.jpg',
        'four fifths of a JPEG',
        lambda photo: _cut(_jpeg(photo), 0.8),
        'damaged',
        'the file is cut or damaged',
    ),
    BadInput(
        'progressive.jpg',
        '95 % of a progressive JPEG',
        lambda photo: _cut(encoded(photo, 'JPEG', quality=92, progressive=True), 0.95),
        'damaged',
        'the file is cut: the details of the photo are incomplete',
    ),
    BadInput(
        'cut_too.png',
        'four fifths of a PNG',
        lambda photo: _cut(encoded(photo, 'PNG'), 0.8),
        'damaged',
        'the file is cut or damaged',
    ),
    BadInput(
        'stub.png',
        'a fiftieth of a PNG',
        lambda photo: _cut(encoded(photo, 'PNG'), 0.02),
        'error',
        'truncated, damaged or unsupported image: cut or damaged: only 2% of its rows are there',
        0,
    ),
    BadInput(
        'palette_missing.png',
        'a palette PNG without its palette',
        _without_palette,
        'error',
        'truncated, damaged or unsupported image: a palette image without its palette',
        0,
    ),
    BadInput('make_is_a_number.jpg', 'EXIF whose Make is a number', _make_is_a_number, 'ok'),
    BadInput(
        'profile.jpg',
        'a colour profile that is none',
        lambda photo: encoded(photo, 'JPEG', quality=95, icc_profile=b'no profile' * 20),
        'ok',
        'the colour profile is damaged',
    ),
    BadInput('big.tif', 'BigTIFF', lambda photo: tiff(np.asarray(photo), bigtiff=True, photometric='rgb'), 'ok'),
    BadInput(
        'planar_16.tif',
        '16 bits, a plane a colour',
        lambda photo: tiff(np.moveaxis(_deep(photo), 2, 0), photometric='rgb', planarconfig='separate'),
        'ok',
    ),
    BadInput(
        'white_is_zero_16.tif',
        '16 bits, 0 is white',
        lambda photo: tiff(65535 - _deep(photo)[..., 1], photometric='miniswhite'),
        'ok',
    ),
    BadInput(
        'pages.tif',
        'a scan of two pages: two photos',
        lambda photo: encoded(photo, 'TIFF', save_all=True, append_images=[photo]),
        'ok',
    ),
    BadInput('one_pixel.png', 'one pixel', lambda photo: encoded(photo.resize((1, 1)), 'PNG'), 'no_face', '', 0),
    BadInput(
        'strip.png',
        '30000x20 pixels',
        lambda photo: encoded(Image.new('RGB', (30_000, 20), 'grey'), 'PNG'),
        'no_face',
        '',
        0,
    ),
)
