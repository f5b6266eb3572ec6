"""A detector's second opinion of the faces that it found: is each one still a face when looked at by itself?

Shirt fronts, ornaments and faces that lie on their side can pass a detector by chance. Aligned to the face template
at one small size, a real face is found again where the template says, also when the crop is tilted or mirrored; a
chance likeness is lost by one of these.
"""

from collections.abc import Sequence
from typing import Protocol

import cv2
import numpy as np

from daefr_arch.errors import InputError
from daefr_arch.faces.aligner import crop_face, estimate_alignment, face_template
from daefr_arch.faces.detector import DetectedFace

CROP_SIZE = 96  # of 96 to 192 pixels the smallest tells best: small crops average noise, and cost least
TILTS = (0, 12, -12)  # degrees; the crop is also looked at mirrored
QUARTER_TURNS = (0, 90, 180, 270)
MIRRORED_ORDER = (1, 0, 2, 4, 3)  # what the landmarks' order is after mirroring


class TemplateScorer(Protocol):
    """What a second opinion asks of a detector."""

    def score_templates(self, crops: np.ndarray, templates: np.ndarray) -> np.ndarray:
        """How sure the detector is, in [0, 1] (N,), of a face at each crop's template.

        crops: (N, S, S, 3) BGR uint8. templates: (N, 5, 2) landmarks in pixels of the crop.
        """


def opinions(scorer: TemplateScorer, img: np.ndarray, faces: Sequence[DetectedFace]) -> np.ndarray:
    """The mean score, in [0, 1] (N,), of each face of the photo (H, W, 3) BGR uint8 in tilted and mirrored crops.

    0 for landmarks that cannot be aligned.
    """
    result = np.zeros(len(faces))
    alignable, crops, templates = [], [], []
    for index, face in enumerate(faces):
        matrix = _alignment(face)
        if matrix is None:
            continue
        alignable.append(index)
        for tilt in TILTS:
            crop, template = _tilted(img, matrix, tilt)
            crops.append(crop)
            templates.append(template)
            if tilt == 0:
                crops.append(np.ascontiguousarray(crop[:, ::-1]))
                templates.append((template * [-1, 1] + [CROP_SIZE - 1, 0])[list(MIRRORED_ORDER)])
    if alignable:
        scores = scorer.score_templates(np.stack(crops), np.stack(templates))
        result[alignable] = scores.reshape(len(alignable), len(TILTS) + 1).mean(axis=1)
    return result


def quarter_turn_scores(scorer: TemplateScorer, img: np.ndarray, face: DetectedFace) -> np.ndarray:
    """How much like a face (4,) the aligned face looks as it stands, and turned by 90, 180 and 270 degrees.

    A face that was found the wrong way up looks more like one when turned.
    """
    matrix = _alignment(face)
    if matrix is None:
        return np.zeros(len(QUARTER_TURNS))
    upright = face_template(CROP_SIZE)
    crops, templates = [], []
    for angle in QUARTER_TURNS:
        crop, template = _tilted(img, matrix, angle)
        crops.append(crop)
        # an upright face about where the turned template is
        templates.append(upright - upright.mean(axis=0) + template.mean(axis=0))
    return scorer.score_templates(np.stack(crops), np.stack(templates))


def _alignment(face: DetectedFace) -> np.ndarray | None:
    """Photo -> crop (2, 3), None where the landmarks allow none."""
    try:
        return estimate_alignment(face.landmarks, CROP_SIZE)
    except InputError:
        return None


def _tilted(img: np.ndarray, matrix: np.ndarray, degrees: float) -> tuple[np.ndarray, np.ndarray]:
    """The aligned crop, turned about its centre, and the template's landmarks in it."""
    centre = (CROP_SIZE - 1) / 2
    turn = cv2.getRotationMatrix2D((centre, centre), degrees, 1)
    tilted = turn[:, :2] @ matrix
    tilted[:, 2] += turn[:, 2]
    return crop_face(img, tilted, CROP_SIZE), face_template(CROP_SIZE) @ turn[:, :2].T + turn[:, 2]
