"""Landmark distance of result and ground truth."""

from typing import Literal

import numpy as np
from basicsr.utils.registry import METRIC_REGISTRY

from daefr_arch.metrics.face_landmarks import build_landmark_detector
from daefr_arch.metrics.images import check_pair
from daefr_arch.metrics.metric import ImageMetric


def landmark_distance(a: np.ndarray, b: np.ndarray, face_size: int) -> float:
    """Mean distance of landmarks (K, 2) of faces of `face_size` pixels a side, in pixels of a 512x512 face.

    Example:
        >>> landmark_distance(np.zeros((2, 2)), np.array([[3.0, 4.0], [0.0, 0.0]]), face_size=256)
        5.0
    """
    return float(np.linalg.norm(a - b, axis=1).mean() * 512 / face_size)


class LMD(ImageMetric):
    """Mean landmark distance, "LMD" of the paper's Table 1(b).

    Args:
        backend: 'awing' (98 points, facexlib) or 'dlib' (68 points).
        device: Of 'awing'.
    """

    name, title, unit = 'lmd', 'LMD', 'px'

    def __init__(self, backend: str = 'awing', *, device: str = 'cpu') -> None:
        self.detector = build_landmark_detector(backend, device=device)
        self.protocol = f'mean Euclidean distance in pixels of a 512x512 face; {self.detector.protocol}'

    def __call__(self, img: np.ndarray, img2: np.ndarray | None = None) -> float:
        img, img2 = check_pair(img, img2, 'LMD')
        return landmark_distance(self.detector.landmarks(img), self.detector.landmarks(img2), img.shape[1])


@METRIC_REGISTRY.register()
def daefr_lmd(
    img: np.ndarray,
    img2: np.ndarray | None,
    *,
    backend: Literal['awing', 'dlib'] = 'awing',
    device: str = 'cpu',
) -> float:
    """`LMD` of one FFHQ-aligned face, BGR uint8 (S, S, 3), and its ground truth of the same size; from 0 up.

    Raises:
        InputError: the images do not fit, or an unknown backend.
        MissingWeightsError: the backend's weights are not at hand; the message names the file.

    Example:
        >>> face = np.random.default_rng(0).integers(0, 256, (128, 128, 3), np.uint8)
        >>> daefr_lmd(face, face, backend='dlib')
        0.0
    """
    return LMD(backend, device=device)(img, img2)
