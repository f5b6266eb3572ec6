from pathlib import Path

import cv2
import numpy as np
import pytest
import skimage.data

from daefr_arch.faces.detector import DetectedFace, build_detector
from daefr_arch.faces.orientation import turn_back
from daefr_arch.faces.retinaface import RetinaFaceDetector
from tests.faces.photos import ASTRONAUT_LANDMARKS, astronaut, grace_hopper


@pytest.fixture(scope='module')
def detector() -> RetinaFaceDetector:
    return build_detector('retinaface_mobile0.25_onnx')


@pytest.fixture
def passes(detector: RetinaFaceDetector, monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Notes `halved` of every search."""
    calls: list[bool] = []
    find = detector.find

    def noting(img: np.ndarray, *, halved: bool = False) -> list[DetectedFace]:
        calls.append(halved)
        return find(img, halved=halved)

    monkeypatch.setattr(detector, 'find', noting)
    return calls


def cell() -> np.ndarray:
    """A microscope's picture, upside down: the detector takes a part of it for a face, with a score of 0.986."""
    grey = cv2.imread(str(Path(skimage.data.__file__).parent / 'cell.png'))
    return np.ascontiguousarray(np.rot90(grey, 2))


@pytest.mark.parametrize('turns', [0, 1, 2, 3])
def test_coordinates_of_a_turned_photo(turns: int) -> None:
    """A pixel that is alone in its photo is found at the same place whichever way up."""
    photo = np.zeros((31, 47), np.uint8)
    photo[5, 40] = 255
    y, x = np.argwhere(np.rot90(photo, turns))[0]
    points = np.tile(np.array([[x, y]], float), (5, 1))
    face = turn_back(DetectedFace((x - 1, y - 2, x + 1, y + 2), 0.9, points), turns, 31, 47)
    np.testing.assert_array_equal(face.landmarks, np.tile([[40.0, 5.0]], (5, 1)))
    assert face.box == ((39, 3, 41, 7) if turns % 2 == 0 else (38, 4, 42, 6))


@pytest.mark.parametrize('turns', [1, 2, 3])
def test_a_turned_photo_has_the_same_faces(detector: RetinaFaceDetector, turns: int) -> None:
    for photo in (astronaut(), grace_hopper()):
        (upright,) = detector.detect(photo)
        (found,) = detector.detect(np.ascontiguousarray(np.rot90(photo, turns)))
        back = turn_back(found, turns, *photo.shape[:2])
        assert np.abs(back.landmarks - upright.landmarks).max() < 2
        assert np.abs(np.subtract(back.box, upright.box)).max() < 4


def test_an_upright_photo_is_searched_once(detector: RetinaFaceDetector, passes: list[bool]) -> None:
    for photo in (astronaut(), grace_hopper()):
        detector.detect(photo)
    assert passes == [False, False]


def test_a_turned_photo_is_searched_at_half_its_size_first(detector: RetinaFaceDetector, passes: list[bool]) -> None:
    detector.detect(np.ascontiguousarray(np.rot90(grace_hopper())))
    assert passes == [False, True, True, True, False]


def test_a_chance_likeness_is_left_alone(detector: RetinaFaceDetector) -> None:
    (likeness,) = (face for face in detector.find(cell()) if face.score > 0.9)
    assert likeness.score > 0.95
    assert detector.detect(cell()) == []


def test_a_likeness_beside_a_face_is_left_alone(detector: RetinaFaceDetector) -> None:
    photo = np.full((660, 1062, 3), 128, np.uint8)
    photo[:, 512:] = cell()[:, :550]
    photo[:512, :512] = astronaut()
    assert len(detector.find(photo)) > 1
    (face,) = detector.detect(photo)
    assert np.abs(face.landmarks - ASTRONAUT_LANDMARKS).max() < 5


def test_a_photo_in_a_photo(detector: RetinaFaceDetector) -> None:
    """A card held before the cheek: its small face is the surer one, and the large one stays."""
    photo = cv2.resize(grace_hopper(), (1024, 1212), interpolation=cv2.INTER_CUBIC)
    photo[560:670, 560:650] = cv2.resize(astronaut()[40:200, 160:290], (90, 110), interpolation=cv2.INTER_AREA)
    small, large = sorted(detector.detect(photo), key=lambda face: face.size)
    assert 50 < small.size < 120
    assert 300 < large.size < 600


def test_parts_of_a_large_face_are_no_faces(detector: RetinaFaceDetector) -> None:
    large = cv2.resize(astronaut()[30:170, 170:280], (1320, 1680), interpolation=cv2.INTER_CUBIC)
    (face,) = detector.detect(large)
    assert face.size > 1000
