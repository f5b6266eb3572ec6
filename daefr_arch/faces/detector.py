"""Finding faces: what a detector returns, which ones there are, and how one is chosen and built."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from daefr_arch.choices import DETECTOR_NETWORKS, DETECTORS, EMBEDDED_DETECTOR, MIN_FACE_SIZE, SCORE_THRESHOLD
from daefr_arch.downloads import fetch, find
from daefr_arch.errors import InputError

if TYPE_CHECKING:
    import torch

    from daefr_arch.faces.retinaface import DetectionNetwork


@dataclass(frozen=True)
class DetectedFace:
    """A face in pixels of its photo.

    box: (x0, y0, x1, y1), may reach beyond the photo. score: in [0, 1].
    landmarks (5, 2): left and right eye, nose, left and right corner of the mouth, as the picture shows them.
    """

    box: tuple[float, float, float, float]
    score: float
    landmarks: np.ndarray

    @property
    def size(self) -> float:
        """The longer side of the box in pixels."""
        return max(self.box[2] - self.box[0], self.box[3] - self.box[1])


class FaceDetector(Protocol):
    """What the restorer asks of a detector."""

    def detect(self, img: np.ndarray) -> list[DetectedFace]:
        """The faces of a photo (H, W, 3) BGR uint8, the surest first."""


def build_detector(
    name: str = 'auto',
    *,
    device: 'str | torch.device' = 'cpu',
    backend: str = 'torch',
    offline: bool = False,
    weights: str | Path | None = None,
    score_threshold: float = SCORE_THRESHOLD,
    min_face_size: float = MIN_FACE_SIZE,
) -> FaceDetector:
    """Builds one of DETECTORS.

    name: 'auto' takes facexlib's weights where they are already in the cache folder, and the embedded ones otherwise.
    backend: 'torch', or 'onnx', which has the embedded weights alone.
    weights: a file of facexlib's weights for the named detector, instead of the downloaded one.
    score_threshold, min_face_size: faces below this score or size (longer side of the box, pixels) are left out.
    Raises InputError for an unknown name or impossible option, WeightsError where weights are missing or do not fit.
    """
    from daefr_arch.faces.retinaface import RetinaFaceDetector

    if name not in DETECTORS:
        raise InputError(f'detector: expected one of {", ".join(DETECTORS)}, got {name!r}')
    if not 0 < score_threshold < 1:
        raise InputError(f'score_threshold: expected a number between 0 and 1, got {score_threshold}')
    if not 0 <= min_face_size < math.inf:
        raise InputError(f'min_face_size: expected pixels, 0 or more, got {min_face_size}')
    if weights is not None and name in ('auto', EMBEDDED_DETECTOR):
        raise InputError(f'detector weights {weights} were given: name the facexlib detector that they belong to')
    if backend == 'onnx' and name not in ('auto', EMBEDDED_DETECTOR):
        raise InputError(f'detector: expected auto or {EMBEDDED_DETECTOR} with the backend onnx, got {name!r}')
    network = _onnx_network(str(device)) if backend == 'onnx' else _torch_network(name, device, offline, weights)
    return RetinaFaceDetector(network, score_threshold=score_threshold, min_face_size=min_face_size)


def _onnx_network(device: str) -> 'DetectionNetwork':
    from daefr_arch.faces.onnx_retinaface import OnnxRetinaFace

    return OnnxRetinaFace(device=device)


def _torch_network(
    name: str, device: 'str | torch.device', offline: bool, weights: str | Path | None
) -> 'DetectionNetwork':
    from daefr_arch import checkpoints
    from daefr_arch.faces.torch_retinaface import TorchRetinaFace

    if name == 'auto':
        name = _at_hand()
    path = weights or fetch(name, offline=offline)
    state = checkpoints.read_checkpoint(path).state_dict
    with checkpoints.naming(path):
        return TorchRetinaFace(DETECTOR_NETWORKS[name], state, device=device)


def _at_hand() -> str:
    """The best detector that needs no download."""
    for name in ('retinaface_resnet50', 'retinaface_mobile0.25'):
        if find(name) is not None:
            return name
    return EMBEDDED_DETECTOR


def center_face(faces: Sequence[DetectedFace], height: int, width: int) -> DetectedFace:
    """The face whose box is nearest to the centre of a photo of this size (facexlib's only_center_face)."""

    def distance(face: DetectedFace) -> float:
        x0, y0, x1, y1 = face.box
        return float(np.hypot((x0 + x1 - width) / 2, (y0 + y1 - height) / 2))

    return min(faces, key=distance)
