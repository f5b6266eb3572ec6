"""Identity distance: the angle between the face embeddings of result and ground truth."""

import math
from typing import Literal

import numpy as np
from basicsr.utils.registry import METRIC_REGISTRY

from daefr_arch.errors import InputError
from daefr_arch.metrics.face_embedding import build_embedder
from daefr_arch.metrics.images import check_pair
from daefr_arch.metrics.metric import ImageMetric

FACTORS = {'radians': 1.0, 'degrees': 180 / math.pi}


def embedding_angle(a: np.ndarray, b: np.ndarray, *, unit: str = 'radians') -> float:
    """Angle between two embeddings (D,) of unit length, 2 atan2(|a - b|, |a + b|), exact for small angles too.

    Example:
        >>> round(embedding_angle(np.array([1.0, 0.0]), np.array([0.0, 1.0]), unit='degrees'), 6)
        90.0
    """
    if unit not in FACTORS:
        raise InputError(f'unit: expected one of {", ".join(FACTORS)}, got {unit!r}')
    return 2 * math.atan2(float(np.linalg.norm(a - b)), float(np.linalg.norm(a + b))) * FACTORS[unit]


class IDA(ImageMetric):
    """Angle of face embeddings, "IDA" of the paper's Table 1(b).

    Args:
        backend: 'arcface' (facexlib's IR-SE50), 'dlib', or the path of an ONNX file.
        unit: 'radians' (the paper's, whose results are about 1) or 'degrees'.
        device: Of 'arcface'.
    """

    name, title = 'ida', 'IDA'

    def __init__(self, backend: str = 'arcface', *, unit: str = 'radians', device: str = 'cpu') -> None:
        self.embedder = build_embedder(backend, device=device)
        self.unit = unit
        self.protocol = f'angle in {unit}; {self.embedder.protocol}'

    def __call__(self, img: np.ndarray, img2: np.ndarray | None = None) -> float:
        img, img2 = check_pair(img, img2, 'IDA')
        return embedding_angle(self.embedder.embed(img), self.embedder.embed(img2), unit=self.unit)


@METRIC_REGISTRY.register()
def daefr_ida(
    img: np.ndarray,
    img2: np.ndarray | None,
    *,
    backend: str = 'arcface',
    unit: Literal['radians', 'degrees'] = 'radians',
    device: str = 'cpu',
) -> float:
    """`IDA` of one FFHQ-aligned face, BGR uint8 (S, S, 3), and its ground truth of the same size; in [0, pi].

    Raises:
        InputError: the images do not fit, or an unknown backend or unit.
        MissingWeightsError: the backend's weights are not at hand; the message names the file.

    Example:
        >>> face = np.random.default_rng(0).integers(0, 256, (128, 128, 3), np.uint8)
        >>> daefr_ida(face, face, backend='dlib')
        0.0
    """
    return IDA(backend, unit=unit, device=device)(img, img2)
