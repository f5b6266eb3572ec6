"""A real face of scikit-image's sample data, for the tests of this folder."""

import cv2
import numpy as np
from skimage.data import astronaut


def face(size: int) -> np.ndarray:
    """(size, size, 3) uint8 BGR."""
    return cv2.resize(astronaut()[0:220, 120:340, ::-1], (size, size), interpolation=cv2.INTER_AREA)
