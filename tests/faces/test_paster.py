import cv2
import numpy as np
import pytest

from daefr_arch.errors import InputError
from daefr_arch.faces.aligner import crop_face, estimate_alignment, face_template
from daefr_arch.faces.face_mask import feather_mask
from daefr_arch.faces.paster import RestoredFace, paste_faces, paste_matrix
from tests.faces.photos import ASTRONAUT_LANDMARKS, astronaut
from tests.faces.test_aligner import facexlib_helper


def landmarks_at(x: float, y: float, size: float, angle: float = 0) -> np.ndarray:
    """Landmarks of a face whose aligned square has its centre at (x, y), `size` pixels a side, turned by degrees."""
    turn = cv2.getRotationMatrix2D((size / 2, size / 2), angle, 1)
    points = face_template(512) * size / 512
    return points @ turn[:, :2].T + turn[:, 2] + np.array([x, y]) - size / 2


def plain_face(value: int, landmarks: np.ndarray, face_size: int = 64) -> RestoredFace:
    """A face of one grey."""
    pixels = np.full((face_size, face_size, 3), value, np.uint8)
    return RestoredFace(pixels, feather_mask(face_size), estimate_alignment(landmarks, face_size))


def with_faces(photo: np.ndarray, faces: list[RestoredFace], upscale: float) -> np.ndarray:
    """A copy of the photo with the faces."""
    pasted = photo.copy()
    paste_faces(pasted, faces, upscale)
    return pasted


def test_feather_mask() -> None:
    mask = feather_mask(256)
    assert mask[128, 128] == 1
    assert mask[0].max() == mask[:, -1].max() == 0
    assert np.abs(np.diff(mask, axis=0)).max() < 0.07
    np.testing.assert_array_equal(mask, mask.T[::-1, ::-1])


@pytest.mark.parametrize('upscale', [1, 2, 3, 1.5])
def test_pasting_the_crop_changes_nothing(upscale: float) -> None:
    """Also the pixel centres agree: half a pixel beside costs several dB."""
    photo = cv2.GaussianBlur(astronaut(), (0, 0), 3)
    matrix = estimate_alignment(ASTRONAUT_LANDMARKS, 256)
    crop = crop_face(photo, matrix, 256)
    size = (int(512 * upscale), int(512 * upscale))
    enlarged = cv2.resize(photo, size, interpolation=cv2.INTER_LANCZOS4)
    pasted = with_faces(enlarged, [RestoredFace(crop, feather_mask(256), matrix)], upscale)
    changed = (pasted != enlarged).any(axis=2)
    assert cv2.PSNR(pasted[changed], enlarged[changed]) > 49


@pytest.mark.parametrize('dtype', [np.uint8, np.uint16])
def test_outside_the_masks_nothing_changes(dtype: type) -> None:
    photo = np.random.default_rng(1).integers(0, np.iinfo(dtype).max, (400, 500, 3), endpoint=True).astype(dtype)
    landmarks = landmarks_at(200, 150, 90, angle=25)
    pasted = with_faces(photo, [plain_face(255, landmarks)], 1)
    assert pasted.dtype == dtype
    inverse = paste_matrix(estimate_alignment(landmarks, 64), 1)
    mask = cv2.warpAffine(feather_mask(64), inverse, (500, 400))
    np.testing.assert_array_equal(pasted[mask == 0], photo[mask == 0])
    assert (pasted[mask == 1] == np.iinfo(dtype).max).all()
    y, x = np.nonzero((pasted != photo).any(axis=2))
    assert y.max() - y.min() < 130  # the turned square's rectangle
    assert x.max() - x.min() < 130


def test_rounds() -> None:
    """facexlib truncates: a white face at half opacity would give 127."""
    mask = np.full((64, 64), 0.5, np.float32)
    face = RestoredFace(np.full((64, 64, 3), 255, np.uint8), mask, np.eye(2, 3))
    assert (with_faces(np.zeros((64, 64, 3), np.uint8), [face], 1) == 128).all()


def test_overlapping_faces_have_no_seam_and_no_order() -> None:
    first, second = plain_face(200, landmarks_at(140, 150, 160)), plain_face(60, landmarks_at(230, 160, 160, angle=10))
    photo = np.full((300, 400, 3), 128, np.uint8)
    one = with_faces(photo, [first, second], 1).astype(int)
    other = with_faces(photo, [second, first], 1).astype(int)
    assert np.abs(one - other).max() <= 1
    assert np.abs(np.diff(one, axis=1)).max() < 20
    assert np.abs(np.diff(one, axis=0)).max() < 20
    assert (one[150, 190] == 130).all()  # both masks are 1 here: the mean


def test_equal_faces_overlap_like_one() -> None:
    faces = [plain_face(10, landmarks_at(x, 120, 150)) for x in (100, 130, 160, 190)]
    pasted = with_faces(np.full((240, 300, 3), 10, np.uint8), faces, 1)
    assert (pasted == 10).all()


def test_agrees_with_facexlib() -> None:
    """At upscale 1, where facexlib has no shift, in the flat part of its mask; it truncates, OpenCV 4 rounds places."""
    matrix = estimate_alignment(ASTRONAUT_LANDMARKS, 256)
    face = np.random.default_rng(0).integers(0, 255, (256, 256, 3)).astype(np.uint8)
    face = cv2.GaussianBlur(face, (0, 0), 4)
    helper = facexlib_helper(256)
    helper.upscale_factor, helper.input_img = 1, astronaut().copy()
    helper.inverse_affine_matrices = [cv2.invertAffineTransform(matrix)]
    helper.restored_faces = [face]
    expected = helper.paste_faces_to_input_image()
    pasted = with_faces(astronaut(), [RestoredFace(face, feather_mask(256), matrix)], 1)
    flat = cv2.warpAffine((feather_mask(256) == 1).astype(np.uint8), paste_matrix(matrix, 1), (512, 512)) == 1
    assert flat.mean() > 0.05
    difference = np.abs(pasted[flat].astype(int) - expected[flat])
    assert difference.max() <= 2
    assert difference.mean() < 0.7
    outside = cv2.warpAffine(np.ones((256, 256), np.uint8), paste_matrix(matrix, 1), (512, 512)) == 0
    np.testing.assert_array_equal(pasted[outside], astronaut()[outside])  # facexlib's truncation darkens some by 1
    assert np.abs(astronaut()[outside].astype(int) - expected[outside]).max() <= 1


@pytest.mark.parametrize('place', [(0, 0), (299, 10), (150, 239), (-500, 100), (900, 900)])
def test_faces_over_the_photo_border(place: tuple[int, int]) -> None:
    photo = np.full((240, 300, 3), 90, np.uint8)
    pasted = with_faces(photo, [plain_face(90, landmarks_at(*place, 120))], 1)
    assert (pasted == 90).all()


@pytest.mark.parametrize('photo', [np.zeros((9, 9), np.uint8), np.zeros((9, 9, 3), np.float32)])
def test_wrong_photo(photo: np.ndarray) -> None:
    with pytest.raises(InputError, match='paste'):
        paste_faces(photo, [], 1)


def change(landmarks: np.ndarray, levels: float, face_size: int = 64) -> RestoredFace:
    """A change of all pixels of a face by as many levels."""
    pixels = np.full((face_size, face_size, 3), levels, np.float32)
    return RestoredFace(pixels, feather_mask(face_size), estimate_alignment(landmarks, face_size))


@pytest.mark.parametrize('dtype', [np.uint8, np.uint16])
def test_no_change_leaves_every_bit(dtype: type) -> None:
    photo = np.random.default_rng(2).integers(0, np.iinfo(dtype).max, (300, 300, 3), endpoint=True).astype(dtype)
    np.testing.assert_array_equal(with_faces(photo, [change(landmarks_at(150, 150, 200, angle=10), 0)], 1), photo)


@pytest.mark.parametrize(('dtype', 'level'), [(np.uint8, 1), (np.uint16, 257)])
def test_a_change_is_added_to_the_detail_of_the_photo(dtype: type, level: int) -> None:
    photo = np.random.default_rng(3).integers(50 * level, 150 * level, (300, 300, 3)).astype(dtype)
    pasted = with_faces(photo, [change(landmarks_at(150, 150, 200), 20)], 1)
    difference = pasted.astype(int) - photo.astype(int)
    np.testing.assert_array_equal(difference[100:200, 100:200], 20 * level)
    assert difference.min() == 0
    assert difference.max() == 20 * level


def test_overlapping_changes_do_not_add_up_and_have_no_order() -> None:
    photo = np.full((300, 400, 3), 100, np.uint8)
    both = [change(landmarks_at(150, 150, 180), 40), change(landmarks_at(230, 150, 180), 40)]
    pasted = with_faces(photo, both, 1)
    assert abs(int(pasted[150, 190, 0]) - 140) <= 1
    assert pasted.max() <= 141
    assert np.abs(pasted.astype(int) - with_faces(photo, both[::-1], 1)).max() <= 1


@pytest.mark.parametrize('order', [1, -1])
def test_a_small_face_in_a_large_one_stays_whole(order: int) -> None:
    photo = np.full((600, 600, 3), 50, np.uint8)
    large, small = plain_face(200, landmarks_at(300, 300, 500)), plain_face(100, landmarks_at(330, 280, 80))
    pasted = with_faces(photo, [large, small][::order], 1)
    assert (pasted[270:290, 320:340] == 100).all()
    assert (pasted[380:400, 320:340] == 200).all()
    assert pasted.min() >= 50
