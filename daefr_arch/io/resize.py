"""Resizing of square pictures, such as aligned faces."""

import cv2
import numpy as np

from daefr_arch.errors import InputError


def resize_square(image: np.ndarray, size: int, *, enlarging: int = cv2.INTER_LINEAR) -> np.ndarray:
    """Resizes (S, S, 3) to (size, size, 3): by area when it shrinks, which keeps it free of aliasing.

    enlarging: OpenCV's interpolation when it grows.

    Raises:
        InputError: the image is not square.
    """
    height, width = image.shape[:2]
    if height != width:
        raise InputError(f'expected a square aligned face, got {width}x{height} pixels: crop it, or align it first')
    if height == size:
        return image
    return cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA if size < height else enlarging)
