"""Two real faces, FFHQ-aligned, BGR uint8 (256, 256, 3); the first also degraded."""

from pathlib import Path

import cv2
import matplotlib
import numpy as np
import pytest
from skimage.data import astronaut

from daefr_arch.faces.aligner import crop_face, estimate_alignment
from daefr_arch.faces.detector import build_detector

SIZE = 256


def aligned(photo: np.ndarray) -> np.ndarray:
    face = build_detector(offline=True).detect(photo)[0]
    return crop_face(photo, estimate_alignment(face.landmarks, SIZE), SIZE)


@pytest.fixture(scope='session')
def sharp() -> np.ndarray:
    return aligned(np.ascontiguousarray(astronaut()[:, :, ::-1]))


@pytest.fixture(scope='session')
def other_face() -> np.ndarray:
    return aligned(cv2.imread(str(Path(matplotlib.get_data_path(), 'sample_data', 'grace_hopper.jpg'))))


@pytest.fixture(scope='session')
def degraded(sharp: np.ndarray) -> np.ndarray:
    noise = np.random.default_rng(0).normal(0, 12, sharp.shape)
    return np.clip(cv2.GaussianBlur(sharp, (0, 0), 2) + noise, 0, 255).astype(np.uint8)
