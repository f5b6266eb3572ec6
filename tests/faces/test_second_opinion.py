import cv2
import numpy as np
import pytest

from daefr_arch.faces.detector import DetectedFace, build_detector
from daefr_arch.faces.orientation import ACCEPTED_OPINION
from daefr_arch.faces.retinaface import RetinaFaceDetector
from daefr_arch.faces.second_opinion import opinions, quarter_turn_scores
from tests.faces.photos import ASTRONAUT_LANDMARKS, astronaut


@pytest.fixture(scope='module')
def detector() -> RetinaFaceDetector:
    return build_detector('retinaface_mobile0.25_onnx')


def face_at(landmarks: np.ndarray) -> DetectedFace:
    return DetectedFace((0, 0, 1, 1), 0.9, landmarks)


def test_a_face_a_shoulder_and_landmarks_that_cannot_be_aligned(detector: RetinaFaceDetector) -> None:
    shoulder = face_at(ASTRONAUT_LANDMARKS + np.array([60, 200]))
    degenerate = face_at(np.full((5, 2), 7.0))
    found = opinions(detector, astronaut(), [face_at(ASTRONAUT_LANDMARKS), shoulder, degenerate])
    assert found[0] > 0.98
    assert found[1] < 0.5
    assert found[2] == 0
    assert opinions(detector, astronaut(), []).shape == (0,)


@pytest.mark.parametrize('noise', [0, 8])
def test_a_blurred_dark_face_is_still_one(detector: RetinaFaceDetector, noise: float) -> None:
    dark = cv2.GaussianBlur(astronaut(), (0, 0), 3) * 0.4
    dark = np.clip(dark + np.random.default_rng(0).normal(0, noise, dark.shape), 0, 255).astype(np.uint8)
    assert opinions(detector, dark, [face_at(ASTRONAUT_LANDMARKS)])[0] > ACCEPTED_OPINION


@pytest.mark.parametrize('turns', [0, 1, 2, 3])
def test_the_way_up_is_told(detector: RetinaFaceDetector, turns: int) -> None:
    """Landmarks of the upright photo on turned ones: the face looks like one only where the turn is undone."""
    centre = tuple(ASTRONAUT_LANDMARKS.mean(axis=0))
    turn = cv2.getRotationMatrix2D(centre, -90 * turns, 1)
    turned = cv2.warpAffine(astronaut(), turn, (512, 512))
    scores = quarter_turn_scores(detector, turned, face_at(ASTRONAUT_LANDMARKS))
    assert scores.argmax() == turns
    assert scores.max() - np.sort(scores)[-2] > 0.1
