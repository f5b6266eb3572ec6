"""One real photo, sharp and degraded, as BGR uint8."""

import cv2
import numpy as np
import pytest
from skimage.data import astronaut


@pytest.fixture(scope='session')
def sharp() -> np.ndarray:
    return np.ascontiguousarray(astronaut()[:256, 96:352, ::-1])


@pytest.fixture(scope='session')
def degraded(sharp: np.ndarray) -> np.ndarray:
    noise = np.random.default_rng(0).normal(0, 12, sharp.shape)
    return np.clip(cv2.GaussianBlur(sharp, (0, 0), 2) + noise, 0, 255).astype(np.uint8)
