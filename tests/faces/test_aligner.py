import cv2
import numpy as np
import pytest
from facexlib.utils.face_restoration_helper import FaceRestoreHelper

from daefr_arch.errors import InputError
from daefr_arch.faces.aligner import (
    alignment_error,
    crop_face,
    estimate_alignment,
    face_template,
    similarity_scale,
    warp,
)
from tests.faces.photos import ASTRONAUT_LANDMARKS, astronaut


def facexlib_helper(face_size: int) -> FaceRestoreHelper:
    """facexlib's helper with given landmarks; its constructor would download two networks."""
    helper = FaceRestoreHelper.__new__(FaceRestoreHelper)
    helper.face_size = (face_size, face_size)
    helper.face_template = (
        np.array(
            [
                [192.98138, 239.94708],
                [318.90277, 240.1936],
                [256.63416, 314.01935],
                [201.26117, 371.41043],
                [313.08905, 371.15118],
            ]
        )
        * face_size
        / 512
    )
    helper.pad_blur, helper.use_parse = False, False
    helper.clean_all()
    return helper


@pytest.mark.parametrize('face_size', [128, 256, 512])
@pytest.mark.parametrize('border_mode', ['constant', 'reflect101', 'reflect'])
def test_crop_equals_facexlib(face_size: int, border_mode: str) -> None:
    landmarks = ASTRONAUT_LANDMARKS - [0, 60]  # near the upper border, so that the border shows
    helper = facexlib_helper(face_size)
    helper.input_img, helper.all_landmarks_5 = astronaut(), [landmarks]
    helper.align_warp_face(border_mode=border_mode)

    matrix = estimate_alignment(landmarks, face_size)
    np.testing.assert_array_equal(matrix, helper.affine_matrices[0])
    np.testing.assert_array_equal(
        crop_face(astronaut(), matrix, face_size, border_mode=border_mode), helper.cropped_faces[0]
    )


def test_alignment_maps_a_turned_template_back() -> None:
    turned = cv2.getRotationMatrix2D((300, 200), 33, 1.7)
    landmarks = face_template(256) @ turned[:, :2].T + turned[:, 2]
    matrix = estimate_alignment(landmarks, 256)
    np.testing.assert_allclose(landmarks @ matrix[:, :2].T + matrix[:, 2], face_template(256), atol=1e-6)
    assert similarity_scale(matrix) == pytest.approx(1 / 1.7)


def test_alignment_error_tells_a_turned_face() -> None:
    assert alignment_error(ASTRONAUT_LANDMARKS, estimate_alignment(ASTRONAUT_LANDMARKS, 256), 256) < 0.03
    turned = face_template(256) * [0.4, 1] + [[0, 0], [0, 0], [-40, 0], [0, 0], [0, 0]]
    assert alignment_error(turned, estimate_alignment(turned, 256), 256) > 0.05


def test_sixteen_bits_are_kept() -> None:
    matrix = estimate_alignment(ASTRONAUT_LANDMARKS - [0, 60], 128)
    eight = crop_face(astronaut(), matrix, 128)
    sixteen = crop_face(astronaut().astype(np.uint16) * 257, matrix, 128)
    assert sixteen.dtype == np.uint16
    assert np.abs(sixteen / 257 - eight).max() < 1


def test_large_faces_are_averaged_not_sampled() -> None:
    """A checkerboard of single pixels becomes grey; bilinear samples alone would pick white or black."""
    board = np.indices((900, 900)).sum(axis=0).astype(np.uint8) % 2 * 255
    small = warp(board, np.array([[0.25, 0, 0], [0, 0.25, 0]]), (200, 200))
    assert np.abs(small[5:-5, 5:-5].astype(int) - 127).max() <= 1


@pytest.mark.parametrize('scale', [0.5, 0.34, 0.21, 0.1])
def test_shrinking_keeps_positions(scale: float) -> None:
    y, x = np.mgrid[:400, :500].astype(np.float32)
    matrix = np.array([[scale, 0.02, 3.3], [-0.02, scale, 9.1]])
    size = (int(450 * scale), int(350 * scale))
    got = warp(np.dstack((x, y)), matrix, size)
    target_y, target_x = np.mgrid[: size[1], : size[0]]
    inverse = cv2.invertAffineTransform(matrix)
    source = np.dstack((target_x, target_y)) @ inverse[:, :2].T + inverse[:, 2]
    inside = ((source > 1 / scale) & (source < np.array([499, 399]) - 1 / scale)).all(axis=2)
    assert inside.mean() > 0.5
    np.testing.assert_allclose(got[inside], source[inside], atol=0.2)  # OpenCV's bilinear weights have 5 bits


@pytest.mark.parametrize('landmarks', [np.zeros((5, 2)), np.full((5, 2), np.nan), np.zeros((4, 2))])
def test_impossible_landmarks(landmarks: np.ndarray) -> None:
    with pytest.raises(InputError, match='landmarks'):
        estimate_alignment(landmarks, 256)


def test_unknown_border() -> None:
    with pytest.raises(InputError, match=r'border_mode.*wrap'):
        crop_face(astronaut(), np.eye(2, 3), 64, border_mode='wrap')
