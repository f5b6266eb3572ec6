"""The film as it was given, made by the same steps as restored ones: decoded, enlarged and encoded once more."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from daefr_arch.faces.detector import DetectedFace, FaceDetector
from daefr_arch.faces.fusion import SIDE
from daefr_arch.faces.paster import RestoredFace
from daefr_arch.restoration.photo_work import PhotoWork


class NoFaces:
    """A detector that finds none."""

    def detect(self, img: np.ndarray) -> list[DetectedFace]:
        """As FaceDetector.detect."""
        del img
        return []


class Unrestored:
    """A FilmRestorer that leaves films as they are. upscale: size of the result over that of the film."""

    bg_upsampler: Any = None
    face_size = SIDE

    def __init__(self, upscale: float) -> None:
        self.upscale = upscale
        self.detector: FaceDetector = NoFaces()

    def restore_faces(self, works: Sequence[PhotoWork], *, weight: float | None) -> None:
        """As DAEFRRestorer.restore_faces; there are none."""

    def pasted_faces(self, work: PhotoWork) -> list[RestoredFace]:
        """As DAEFRRestorer.pasted_faces."""
        del work
        return []

    def finish(self, work: PhotoWork) -> tuple[list[np.ndarray], list[np.ndarray], np.ndarray | None]:
        """As DAEFRRestorer.finish."""
        return [], [], work.img
