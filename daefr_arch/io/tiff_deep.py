"""16-bit TIFF pages in less common layouts (planes apart, white is zero, odd numbers of samples) as plain ones.

OpenCV, which decodes 16 bits, takes them for something else without a word. Pillow's libtiff unpacks the samples here:
as grey images, which it does right in every compression.
"""

from collections.abc import Sequence

import numpy as np

from daefr_arch.io.pillow_files import load_image, open_image
from daefr_arch.io.tiff_file import LONG, SHORT, Tag, tag_of
from daefr_arch.io.tiff_page import (
    BITS,
    COMPRESSION,
    HEIGHT,
    PHOTOMETRIC,
    PLANAR,
    ROWS_A_STRIP,
    SAMPLES,
    TILE_HEIGHT,
    TILE_WIDTH,
    WIDTH,
    TiffPage,
    tiff_bytes,
)
from daefr_arch.io.tiff_segments import DEFLATE, LZW, UNCOMPRESSED

_BIT_ORDER, _PREDICTOR, _EXTRA_SAMPLES, _SAMPLE_FORMAT = 266, 317, 338, 339
_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB = 0, 1, 2
_DIFFERENCES = 2  # the predictor that stores what differs from the pixel to the left
_UNSIGNED = (1, 4)  # 4: not stated
_PREMULTIPLIED, _STRAIGHT = 1, 2  # alpha


def is_unusual(page: TiffPage) -> bool:
    """Whether the page has 16-bit samples of grey or RGB in a layout that OpenCV cannot read."""
    if page.number(BITS, 1) != 16 or page.number(PHOTOMETRIC, _BLACK_IS_ZERO) > _RGB:
        return False
    layout = page.layout
    plain = page.number(PHOTOMETRIC, _BLACK_IS_ZERO) != _WHITE_IS_ZERO and layout.samples in (1, 3, 4)
    extra = page.numbers(_EXTRA_SAMPLES)
    return (layout.separate and layout.samples > 1) or not plain or (bool(extra) and extra[0] != _STRAIGHT)


def plain(page: TiffPage, segments: Sequence[bytes]) -> bytes:
    """The page as an uncompressed TIFF file of grey or RGB(A) samples, with its other tags as they are.

    Raises:
        ValueError: the samples are signed, of several sizes, or too few.
        OSError: they cannot be unpacked.
    """
    layout = page.layout
    if set(page.numbers(BITS)) != {16} or not set(page.numbers(_SAMPLE_FORMAT)) <= set(_UNSIGNED):
        raise ValueError('expected unsigned samples of 16 bits')
    if layout.separate:
        starts = range(0, layout.count, layout.a_plane)
        planes = [_samples(page, segments[start : start + layout.a_plane], 1)[..., 0] for start in starts]
        samples = np.dstack(planes)
    else:
        samples = _samples(page, segments, layout.samples)
    colours = 3 if page.number(PHOTOMETRIC, _BLACK_IS_ZERO) == _RGB else 1
    if samples.shape[2] < colours:
        raise ValueError(f'expected {colours} samples a pixel, got {samples.shape[2]}')
    pixels = _with_alpha(samples, colours, next(iter(page.numbers(_EXTRA_SAMPLES)), 0))
    if page.number(PHOTOMETRIC, _BLACK_IS_ZERO) == _WHITE_IS_ZERO:
        pixels[..., :colours] = 65535 - pixels[..., :colours]
    order = page.tiff.order
    count = pixels.shape[2]
    changed: dict[int, Tag | None] = {
        BITS: tag_of(order, SHORT, *[16] * count),
        COMPRESSION: tag_of(order, SHORT, UNCOMPRESSED),
        PHOTOMETRIC: tag_of(order, SHORT, _BLACK_IS_ZERO if count == 1 else _RGB),
        SAMPLES: tag_of(order, SHORT, count),
        PLANAR: tag_of(order, SHORT, 1),
        ROWS_A_STRIP: tag_of(order, LONG, layout.height),
        _EXTRA_SAMPLES: tag_of(order, SHORT, _STRAIGHT) if count == 4 else None,
        **dict.fromkeys((TILE_WIDTH, TILE_HEIGHT, _BIT_ORDER, _PREDICTOR, _SAMPLE_FORMAT)),
    }
    return page.with_segments([pixels.astype(f'{order}u2', copy=False).tobytes()], changed)


def _samples(page: TiffPage, segments: Sequence[bytes], samples: int) -> np.ndarray:
    """The samples (H, W, samples), uint16, of strips or tiles with so many samples a pixel.

    They are unpacked as a grey image `samples` times as wide, and the predictor, which looks at the same sample of
    the pixel to the left, is undone here.
    """
    layout, order = page.layout, page.tiff.order
    tags = {
        WIDTH: tag_of(order, LONG, layout.width * samples),
        HEIGHT: tag_of(order, LONG, layout.height),
        BITS: tag_of(order, SHORT, 16),
        COMPRESSION: tag_of(order, SHORT, layout.compression),
        PHOTOMETRIC: tag_of(order, SHORT, _BLACK_IS_ZERO),
        SAMPLES: tag_of(order, SHORT, 1),
    }
    if layout.tiled:
        tags[TILE_WIDTH] = tag_of(order, LONG, layout.segment_width * samples)
        tags[TILE_HEIGHT] = tag_of(order, LONG, layout.segment_height)
    else:
        tags[ROWS_A_STRIP] = tag_of(order, LONG, layout.segment_height)
    with open_image(tiff_bytes(order, tags, segments, {})) as image:
        load_image(image)
        grey = np.array(image).astype(np.uint16, copy=False)
    pixels = grey.reshape(layout.height, layout.width, samples)
    if layout.compression in (LZW, *DEFLATE):
        predictor = page.number(_PREDICTOR, 1)
        if predictor not in (1, _DIFFERENCES):
            raise ValueError(f'expected predictor 1 or 2, got {predictor}')
        if predictor == _DIFFERENCES:
            for left in range(0, layout.width, layout.segment_width):
                tiles = pixels[:, left : left + layout.segment_width]
                np.add.accumulate(tiles, axis=1, dtype=np.uint16, out=tiles)
    return pixels


def _with_alpha(samples: np.ndarray, colours: int, kind: int) -> np.ndarray:
    """Grey (H, W, 1), RGB, or RGBA with straight alpha; other extra samples are left out."""
    if samples.shape[2] == colours or kind not in (_PREMULTIPLIED, _STRAIGHT):
        return samples[..., :colours].copy()
    alpha = samples[..., colours : colours + 1]
    rgb = np.repeat(samples[..., :1], 3, axis=2) if colours == 1 else samples[..., :3]
    if kind == _PREMULTIPLIED:
        straight = rgb.astype(np.uint64) * 65535 // np.maximum(alpha, 1)
        rgb = np.minimum(straight, 65535).astype(np.uint16)
    return np.concatenate((rgb, alpha), axis=2)
