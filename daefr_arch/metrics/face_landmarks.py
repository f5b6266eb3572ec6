"""Landmarks of FFHQ-aligned faces, with which positions and expressions are compared."""

from functools import cache
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
import torch

from daefr_arch.checkpoints import MissingWeightsError, load_into, locate
from daefr_arch.errors import InputError
from daefr_arch.metrics.dlib_models import load_dlib, shape_of_aligned_face

AWING_SIZE = 256


class LandmarkDetector(Protocol):
    """What LMD asks of a backend; `protocol` describes it in one line."""

    protocol: str

    def landmarks(self, face: np.ndarray) -> np.ndarray:
        """FFHQ-aligned face, BGR uint8 (S, S, 3) -> (K, 2) in pixels of the face, x then y."""


def heatmap_peaks(heatmaps: np.ndarray) -> np.ndarray:
    """Heatmaps (K, H, W) -> peaks (K, 2), x then y, a quarter pixel towards the higher neighbour, plus half a pixel.

    The usual decoding of stacked hourglasses; at the rim a missing neighbour counts as the other one.

    Example:
        >>> heatmap = np.zeros((1, 5, 5))
        >>> heatmap[0, 2, 3], heatmap[0, 2, 4] = 1.0, 0.5
        >>> heatmap_peaks(heatmap)
        array([[3.75, 2.5 ]])
    """
    count, _, width = heatmaps.shape
    rows, columns = np.divmod(heatmaps.reshape(count, -1).argmax(1), width)
    padded = np.pad(heatmaps, ((0, 0), (1, 1), (1, 1)), mode='reflect')
    each = np.arange(count)
    dx = np.sign(padded[each, rows + 1, columns + 2] - padded[each, rows + 1, columns])
    dy = np.sign(padded[each, rows + 2, columns + 1] - padded[each, rows, columns + 1])
    return np.stack([columns + 0.25 * dx, rows + 0.25 * dy], axis=1) + 0.5


class AWingLandmarks:
    """AWing (Wang et al., ICCV 2019), four hourglasses, 98 points of WFLW, by facexlib: RGB 256x256 in [0, 1].

    Raises MissingWeightsError where alignment_WFLW_4HG.pth is not at hand.
    """

    def __init__(self, *, weights: str | Path | None = None, device: str | torch.device = 'cpu') -> None:
        from facexlib.alignment.awing_arch import FAN

        path = locate('awing', weights)
        self.network = FAN(num_modules=4, num_landmarks=98, device=device)
        load_into(self.network, path)
        self.network.requires_grad_(False).eval().to(device)
        self.device = device
        self.protocol = f'98 landmarks by AWing ({path.name}), RGB 256x256 in [0, 1]'

    def landmarks(self, face: np.ndarray) -> np.ndarray:
        """As `LandmarkDetector.landmarks`."""
        resized = cv2.resize(face, (AWING_SIZE, AWING_SIZE))
        rgb = torch.from_numpy(np.ascontiguousarray(resized[:, :, ::-1].transpose(2, 0, 1)))[None].float() / 255
        heatmaps = self.network(rgb.to(self.device))[0][-1][0, :-1].cpu().numpy()  # the last map is the outline's
        return heatmap_peaks(heatmaps) * (face.shape[1] / heatmaps.shape[2], face.shape[0] / heatmaps.shape[1])


class DlibLandmarks:
    """dlib's 68 landmarks (Kazemi & Sullivan, CVPR 2014); the model comes from the package registry."""

    protocol = "68 landmarks by dlib (shape_predictor_68_face_landmarks), RGB, in the FFHQ template's face box"

    def __init__(self) -> None:
        dlib, models = load_dlib()
        self.predictor = dlib.shape_predictor(models.pose_predictor_model_location())

    def landmarks(self, face: np.ndarray) -> np.ndarray:
        """As `LandmarkDetector.landmarks`."""
        shape = shape_of_aligned_face(np.ascontiguousarray(face[:, :, ::-1]), self.predictor)
        return np.array([[point.x, point.y] for point in shape.parts()], np.float64)


@cache
def build_landmark_detector(name: str = 'awing', *, device: str = 'cpu') -> LandmarkDetector:
    """'awing' or 'dlib'.

    Raises:
        InputError: an unknown name.
        MissingWeightsError: weights or their package are not at hand.
    """
    if name == 'awing':
        try:
            return AWingLandmarks(device=device)
        except MissingWeightsError as error:
            raise MissingWeightsError(f'{error}; or take --landmark_backend dlib, which needs no file') from error
    if name == 'dlib':
        return DlibLandmarks()
    raise InputError(f'landmark backend: expected awing or dlib, got {name!r}')
