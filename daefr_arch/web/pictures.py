"""Small JPEGs of a photo for the page: they are only looked at, what is downloaded is the result itself."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from daefr_arch.io.atomic_file import write_bytes
from daefr_arch.io.image_encoding import encode
from daefr_arch.io.photo import Photo, as_uint8
from daefr_arch.metadata.metadata import NOTHING

LARGEST_SIDE, FACE_SIDE, THUMBNAIL_SIDE = 2048, 1024, 240  # pixels
AROUND_FACE = 1.7  # side of what is shown around a face, in longer sides of its box
QUALITY = 90

Box = tuple[int, int, int, int]


def write_picture(path: Path, photo: Photo, *, side: int = LARGEST_SIDE) -> None:
    """Writes the photo as a JPEG whose longer side is at most `side` pixels."""
    height, width = photo.pixels.shape[:2]
    pixels, scale = as_uint8(photo.pixels), side / max(height, width)
    if scale < 1:
        size = max(1, round(width * scale)), max(1, round(height * scale))
        pixels = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    shown = replace(photo, pixels=pixels, alpha=None, metadata=NOTHING)
    data, _ = encode(shown, '.jpg', quality=QUALITY)
    write_bytes(path, data)


def part(photo: Photo, box: Box) -> Photo:
    """What lies in the box (x0, y0, x1, y1) of whole pixels."""
    x0, y0, x1, y1 = box
    return replace(photo, pixels=np.ascontiguousarray(photo.pixels[y0:y1, x0:x1]), alpha=None)


def surroundings(box: Sequence[float], width: int, height: int) -> Box:
    """The square around the box of a face (x0, y0, x1, y1), as far as it lies in a photo of this size."""
    half = AROUND_FACE / 2 * max(box[2] - box[0], box[3] - box[1], 16)
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    x0, y0 = (max(0, min(limit - 1, round(at - half))) for at, limit in ((x, width), (y, height)))
    x1, y1 = (max(low + 1, min(limit, round(at + half))) for at, limit, low in ((x, width, x0), (y, height, y0)))
    return x0, y0, x1, y1
