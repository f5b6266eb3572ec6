import cv2
import numpy as np
import pytest

from daefr_arch.faces.aligner import crop_face, estimate_alignment
from daefr_arch.faces.photo_edge import MIRRORED_RIM, visible_mask
from tests.faces.photos import ASTRONAUT_LANDMARKS, astronaut

SIZE = 128


def cut(top: int) -> tuple[np.ndarray, np.ndarray]:
    """The astronaut without `top` rows, and the alignment."""
    return astronaut()[top:], estimate_alignment(ASTRONAUT_LANDMARKS - [0, top], SIZE)


def test_the_visible_part_is_what_a_warp_of_ones_shows() -> None:
    photo, matrix = cut(70)
    mask = visible_mask(matrix, photo.shape, SIZE)
    ones = cv2.warpAffine(np.ones(photo.shape[:2], np.float32), matrix, (SIZE, SIZE))
    disputed = (ones > 0) & (ones < 0.999)  # the pixels along the edge
    np.testing.assert_array_equal(mask[~disputed], ones[~disputed] > 0.5)
    assert 0.05 < (~mask).mean() < 0.5


def test_a_whole_face_is_cropped_as_ever() -> None:
    photo, matrix = cut(0)
    assert visible_mask(matrix, photo.shape, SIZE) is None
    np.testing.assert_array_equal(crop_face(photo, matrix, SIZE, border_mode='smooth'), crop_face(photo, matrix, SIZE))


@pytest.mark.parametrize('dtype', [np.uint8, np.uint16])
def test_the_photo_stays_and_its_colours_go_on(dtype: type) -> None:
    photo, matrix = cut(70)
    photo = photo.astype(dtype) * (257 if dtype == np.uint16 else 1)
    unit = np.iinfo(dtype).max / 255
    smooth = crop_face(photo, matrix, SIZE, border_mode='smooth')
    mirrored = crop_face(photo, matrix, SIZE, border_mode='reflect101')
    inside = visible_mask(matrix, photo.shape, SIZE)
    assert smooth.dtype == dtype
    np.testing.assert_array_equal(smooth[inside], mirrored[inside])
    distance = cv2.distanceTransform((~inside).astype(np.uint8), cv2.DIST_L2, 5)
    far = distance > 2 * MIRRORED_RIM * SIZE
    detail = [
        np.abs(cv2.Laplacian(img.astype(np.float32), cv2.CV_32F))[far].mean() / unit for img in (smooth, mirrored)
    ]
    assert detail[0] < 3 < detail[1]
    # no step at the edge: neighbours across it differ no more than neighbours inside
    rows = np.argmax(inside[:, 20:-20], axis=0)
    columns = np.arange(20, SIZE - 20)
    steps = np.abs(smooth[rows, columns].astype(float) - smooth[rows - 1, columns]).mean() / unit
    assert steps < 12


def test_a_photo_of_one_colour_goes_on_in_it() -> None:
    photo, matrix = np.full((60, 80, 3), (10, 120, 200), np.uint8), np.array([[2.0, 0.3, -40], [-0.3, 2.0, 30]])
    crop = crop_face(photo, matrix, SIZE, border_mode='smooth')
    assert np.abs(crop.astype(int) - (10, 120, 200)).max() <= 1
