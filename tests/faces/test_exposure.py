import cv2
import numpy as np
import pytest

from daefr_arch.errors import InputError
from daefr_arch.faces.aligner import crop_face, estimate_alignment
from daefr_arch.faces.exposure import CONTRAST, DARK, FLAT, normalise_exposure
from tests.faces.photos import ASTRONAUT_LANDMARKS, astronaut


def face() -> np.ndarray:
    return crop_face(astronaut(), estimate_alignment(ASTRONAUT_LANDMARKS, 128), 128)


def levels(crop: np.ndarray) -> np.ndarray:
    """2nd and 98th percentile of the luma of the middle of a face."""
    return np.percentile(cv2.cvtColor(crop.astype(np.float32), cv2.COLOR_BGR2GRAY)[45:105, 38:90], (2, 98))


def toned(crop: np.ndarray) -> np.ndarray:
    luma = cv2.cvtColor(crop, cv2.COLOR_BGR2GRAY)[..., None] / 255
    return np.rint(255 * luma ** np.array([1.6, 1.2, 0.9]) * [0.6, 0.8, 0.9] + 10).astype(np.uint8)


CHANGES = {
    'dark': lambda crop: crop * 0.3,
    'faded': lambda crop: crop * 0.35 + 160,
    'dark and flat': lambda crop: crop * 0.15 + 20,
}


def test_a_normal_face_is_left_alone() -> None:
    crop = face()
    normal, curve = normalise_exposure(crop)
    assert normal is crop
    assert curve.is_identity
    assert curve.restore(crop) is crop


def test_blur_is_no_fading() -> None:
    """It takes contrast of the face, and hardly any of the whole crop."""
    soft = cv2.GaussianBlur(face().astype(np.float32) * 0.7 + 40, (0, 0), 6)
    assert np.ptp(levels(soft)) < FLAT
    assert normalise_exposure(soft)[1].is_identity


@pytest.mark.parametrize('change', CHANGES.values(), ids=CHANGES)
@pytest.mark.parametrize('dtype', [np.uint8, np.float32])
def test_levels_become_normal_and_come_back(change, dtype: type) -> None:
    crop = change(face().astype(np.float32))
    crop = np.rint(crop).astype(dtype) if dtype == np.uint8 else crop.astype(dtype)
    normal, curve = normalise_exposure(crop)
    assert normal.dtype == crop.dtype
    assert not curve.is_identity
    low, high = levels(normal)
    assert high > DARK
    assert FLAT < high - low <= CONTRAST + 10
    restored = curve.restore(normal)
    assert restored.dtype == crop.dtype
    np.testing.assert_allclose(restored.astype(float), crop, atol=1e-3 if dtype == np.float32 else 0)


def test_order_of_levels_is_kept_and_grey_stays_grey() -> None:
    grey = np.repeat(cv2.cvtColor(face(), cv2.COLOR_BGR2GRAY)[..., None], 3, axis=2)
    normal, curve = normalise_exposure(np.rint(grey * 0.3).astype(np.uint8))
    assert np.ptp(normal, axis=2).max() == 0
    assert np.ptp(curve.restore(grey), axis=2).max() == 0
    ramp = np.repeat(np.linspace(0, 255, 128)[None, :, None], 3, axis=2).astype(np.float32)
    without_clipping = curve.__class__(curve.gain, curve.offset)
    assert (np.diff(without_clipping.restore(ramp)[0, :, 0]) > 0).all()


def test_a_lamp_in_a_dark_photo_stays_bright() -> None:
    """It is white at normal exposure: what lies beyond white comes back, in other sizes too."""
    dark = np.rint(face() * 0.3).astype(np.uint8)
    dark[5:25, 5:25] = 240
    normal, curve = normalise_exposure(dark)
    assert (normal[5:25, 5:25] == 255).all()
    np.testing.assert_array_equal(curve.restore(normal), dark)
    large = curve.restore(cv2.resize(normal, (256, 256), interpolation=cv2.INTER_LINEAR))
    assert (large[14:46, 14:46] == 240).all()


def test_a_toned_print_is_shown_in_grey_and_gets_its_tone_back() -> None:
    print_ = toned(face())
    normal, curve = normalise_exposure(print_)
    assert np.ptp(normal, axis=2).max() == 0
    restored = curve.restore(normal)
    assert np.abs(restored.astype(float) - print_).mean() < 2
    coloured = cv2.applyColorMap(normal[..., 0], cv2.COLORMAP_JET)  # whatever a network paints
    tone = curve.restore(coloured).astype(int)
    by_luma = curve.restore(np.repeat(cv2.cvtColor(coloured, cv2.COLOR_BGR2GRAY)[..., None], 3, axis=2)).astype(int)
    assert np.abs(tone - by_luma).max() <= 2


def test_the_correction_begins_softly() -> None:
    """Exposures around the limits differ little in what the network sees."""
    luma = levels(face())
    shades = np.linspace(0.9, 1.1, 21) * DARK / luma[1]
    means = [normalise_exposure((face() * shade).astype(np.float32))[0].mean() for shade in shades]
    assert np.abs(np.diff(means)).max() < 2.5


def test_a_crop_without_contrast() -> None:
    for value in (0, 128, 255):
        crop = np.full((64, 64, 3), value, np.uint8)
        normal, curve = normalise_exposure(crop)
        np.testing.assert_array_equal(curve.restore(normal), crop)


@pytest.mark.parametrize('crop', [np.zeros((8, 9, 3), np.uint8), np.zeros((8, 8), np.uint8), np.zeros((8, 8, 3), int)])
def test_impossible_crops(crop: np.ndarray) -> None:
    with pytest.raises(InputError, match='exposure'):
        normalise_exposure(crop)
