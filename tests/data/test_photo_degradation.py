from dataclasses import fields, replace

import cv2
import numpy as np
import pytest

from daefr_arch.data.degradation import DegradationRanges
from daefr_arch.data.photo_degradation import PhotoDegradation, StepProbabilities, degrade_photo, draw_steps
from daefr_arch.errors import InputError
from tests.data.faces import face

STEPS = [field.name for field in fields(StepProbabilities)]
APPEARANCE = ['cloth', 'grey', 'toned', 'dark', 'faded', 'crisp']
NONE = StepProbabilities(**dict.fromkeys(STEPS, 0.0))
RANGES = DegradationRanges(blur_kernel_size=(19,), blur_sigma=(0.1, 7.5), downsample_range=(0.4, 15))


@pytest.fixture(scope='module')
def image():
    return face(128).astype(np.float32) / 255


def photo(image, seed=0, **probabilities):
    degradation = PhotoDegradation(ranges=RANGES, probabilities=replace(NONE, **probabilities))
    return degrade_photo(image, degradation, np.random.default_rng(seed))


def test_without_steps_photo_and_truth_are_the_face(image):
    for result in (*photo(image), *photo(image, untouched=1.0, eq8=1.0, cracks=1.0)):
        assert np.array_equal(result, image)


@pytest.mark.parametrize('step', APPEARANCE)
def test_appearance_is_the_truths_too(image, step):
    result, truth = photo(image, **{step: 1.0})
    assert np.array_equal(result, truth)
    assert np.abs(truth - image).mean() > 0.005


@pytest.mark.parametrize('step', [step for step in STEPS if step not in ('untouched', *APPEARANCE)])
def test_damage_changes_the_photo_alone_and_keeps_type_and_range(image, step):
    for seed in range(4):
        result, truth = photo(image, seed, **{step: 1.0})
        assert np.array_equal(truth, image)
        assert result.shape == image.shape
        assert result.dtype == np.float32
        assert result.min() >= -1e-4
        assert result.max() <= 1 + 1e-4
    assert np.abs(result - image).max() > 1 / 255


def test_grey_prints_stay_grey_under_dots(image):
    result, _ = photo(image, grey=1.0, halftone=1.0)
    assert np.ptp(result, axis=2).max() < 1e-5


def test_a_photo_follows_from_its_seed(image):
    degradation = PhotoDegradation(ranges=RANGES)
    photos = [degrade_photo(image, degradation, np.random.default_rng(seed))[0] for seed in (5, 5, 6)]
    assert np.array_equal(photos[0], photos[1])
    assert not np.array_equal(photos[0], photos[2])


def test_severity_runs_from_untouched_to_the_full_ranges(image):
    def worst(power):
        degradation = PhotoDegradation(ranges=RANGES, severity_power=power, probabilities=replace(NONE, eq8=1.0))
        rngs = [np.random.default_rng(seed) for seed in range(40)]
        steps = [draw_steps(degradation, rng)[1][0].keywords['params'] for rng in rngs]
        return [step.downsample for step in steps]

    full, light = worst(0), worst(3)
    assert max(full) > 12
    assert np.mean(full) == pytest.approx(7.7, abs=2)
    assert np.median(light) < 2
    assert max(light) > 6


def test_cracks_are_lines_and_leave_the_rest_alone(image):
    result, _ = photo(image, 3, cracks=1.0)
    marked = np.abs(result - image).max(axis=2) > 0.02
    assert 0.0005 < marked.mean() < 0.2
    thick = cv2.erode(marked.astype(np.uint8), np.ones((9, 9), np.uint8))
    assert not thick.any()


def test_a_probability_beyond_one_is_refused():
    with pytest.raises(InputError, match='cracks: expected a number in'):
        StepProbabilities(cracks=1.5)
