import math
from dataclasses import asdict, replace

import cv2
import numpy as np
import pytest
from basicsr.data import degradations as basicsr_degradations

from daefr_arch.data.degradation import (
    DegradationParams,
    DegradationRanges,
    add_gaussian_noise,
    compress_jpeg,
    degrade,
    draw_params,
    gaussian_kernel,
)
from daefr_arch.errors import InputError
from tests.data.faces import face

PARAMS = DegradationParams(
    kernel_size=41,
    sigma_x=6.0,
    sigma_y=2.0,
    rotation=0.5,
    downsample=4.0,
    noise_sigma=8.0,
    noise_seed=3,
    jpeg_quality=60,
)


def plain(image: np.ndarray, params: DegradationParams) -> np.ndarray:
    """Eq. 8 written with BasicSR's functions and OpenCV, with the noise of `add_gaussian_noise`."""
    height, width = image.shape[:2]
    kernel = basicsr_degradations.bivariate_Gaussian(
        params.kernel_size, params.sigma_x, params.sigma_y, params.rotation, isotropic=False
    )
    low = cv2.filter2D(image, -1, kernel)
    low = cv2.resize(low, (int(width // params.downsample), int(height // params.downsample)))
    noise = np.random.default_rng(params.noise_seed).standard_normal(low.shape, dtype=np.float32)
    low = np.clip(low + noise * params.noise_sigma / 255, 0, 1).astype(np.float32)
    low = basicsr_degradations.add_jpg_compression(low, params.jpeg_quality)
    return cv2.resize(low, (width, height))


@pytest.mark.parametrize('seed', range(8))
def test_degrade_equals_eq8_written_plainly(seed):
    image = face(256).astype(np.float32) / 255
    params = draw_params(DegradationRanges(), np.random.default_rng(seed))
    difference = np.abs(degrade(image, params) - plain(image, params))
    # JPEG's rounding turns differences of 1e-5 into whole grey levels of few blocks
    assert np.mean(difference) < 1e-3
    assert np.mean(difference > 1e-3) < 0.05


def test_degrade_is_a_pure_function():
    image = face(128).astype(np.float32) / 255
    before = image.copy()
    np.testing.assert_array_equal(degrade(image, PARAMS), degrade(image, PARAMS))
    np.testing.assert_array_equal(image, before)
    assert np.abs(degrade(image, replace(PARAMS, noise_seed=4)) - degrade(image, PARAMS)).max() > 0.01


def test_degrade_keeps_size_range_and_type_of_any_rectangle():
    image = face(128)[:96].astype(np.float32) / 255
    for factor in (0.8, 1.0, 3.7, 1000.0):
        low = degrade(image, replace(PARAMS, downsample=factor))
        assert low.shape == image.shape
        assert low.dtype == np.float32
        assert low.min() >= 0
        assert low.max() <= 1


def test_isotropic_kernel_is_basicsrs():
    params = replace(PARAMS, sigma_x=3.0, sigma_y=3.0, rotation=0.0)
    expected = basicsr_degradations.bivariate_Gaussian(41, 3.0, 3.0, 0.0, isotropic=True)
    np.testing.assert_allclose(gaussian_kernel(params), expected, atol=1e-12)
    assert gaussian_kernel(params).sum() == pytest.approx(1)


def test_jpeg_equals_basicsrs():
    image = face(100).astype(np.float32) / 255
    for quality in (5, 60, 100):
        expected = basicsr_degradations.add_jpg_compression(image, quality)
        np.testing.assert_allclose(compress_jpeg(image, quality=quality), expected, atol=1e-6)


def test_noise_has_the_standard_deviation_and_is_white():
    grey = np.full((200, 200, 3), 0.5, np.float32)
    noise = (add_gaussian_noise(grey, sigma=12, seed=0) - grey) * 255
    assert noise.mean() == pytest.approx(0, abs=0.15)
    assert noise.std() == pytest.approx(12, rel=0.01)
    correlation = np.corrcoef(noise.reshape(-1, 3).T)
    np.testing.assert_allclose(correlation, np.eye(3), atol=0.02)


def test_draws_cover_the_ranges_and_repeat():
    ranges = DegradationRanges()
    draws = [draw_params(ranges, np.random.default_rng([7, i])) for i in range(2000)]
    assert draws[5] == draw_params(ranges, np.random.default_rng([7, 5]))
    assert {draw.kernel_size for draw in draws} == {39, 41}
    assert np.mean([draw.sigma_x == draw.sigma_y for draw in draws]) == pytest.approx(0.5, abs=0.04)
    for name, (low, high) in {
        'sigma_x': (0.1, 15),
        'sigma_y': (0.1, 15),
        'downsample': (0.8, 30),
        'noise_sigma': (0, 20),
        'jpeg_quality': (30, 100),
    }.items():
        values = np.array([getattr(draw, name) for draw in draws])
        assert values.min() >= low
        assert values.max() <= high
        assert values.mean() == pytest.approx((low + high) / 2, rel=0.04)
        assert values.std() == pytest.approx((high - low) / math.sqrt(12), rel=0.05)


def test_one_range_does_not_move_the_draws_of_another():
    default = asdict(draw_params(DegradationRanges(), np.random.default_rng(0)))
    milder = asdict(draw_params(DegradationRanges(downsample_range=(0.8, 8)), np.random.default_rng(0)))
    assert default.pop('downsample') > milder.pop('downsample')
    assert default == milder


def test_drawn_parameters_are_the_same_everywhere():
    assert asdict(draw_params(DegradationRanges(), np.random.default_rng([2024, 2]))) == pytest.approx(
        {
            'kernel_size': 39,
            'sigma_x': 2.16260218909154,
            'sigma_y': 3.966334920191014,
            'rotation': -1.032086490019005,
            'downsample': 9.681700596448067,
            'noise_sigma': 9.058302200654868,
            'noise_seed': 3924323390,
            'jpeg_quality': 79,
        },
        rel=1e-12,
    )


def _shares(severity_range, count=200):
    """How much of its range each parameter uses, from the mild end on: (count, 4)."""
    ranges = DegradationRanges(severity_range=severity_range, kernel_list=['iso'], kernel_prob=[1])
    drawn = [draw_params(ranges, np.random.default_rng(seed)) for seed in range(count)]
    values = np.array([(p.sigma_x, p.downsample, p.noise_sigma, -p.jpeg_quality) for p in drawn])
    low, high = np.array([(0.1, 15), (0.8, 30), (0, 20), (-100, -30)]).T
    return (values - low) / (high - low)


def test_severity_draws_from_the_mild_end_of_all_ranges_alike():
    full = _shares((1, 1))
    np.testing.assert_allclose(_shares((0.25, 0.25)), full / 4, atol=0.5 / 70)  # JPEG's quality is rounded
    np.testing.assert_allclose(_shares((0, 0)), 0)
    drawn = _shares((0, 1))
    severities = drawn[:, :3] / full[:, :3]
    np.testing.assert_allclose(severities[:, 0], severities[:, 1])  # one an image
    np.testing.assert_allclose(severities[:, 0], severities[:, 2])
    assert np.histogram(severities[:, 0], bins=4, range=(0, 1))[0].min() > 30


@pytest.mark.parametrize(
    ('option', 'value'),
    [
        ('blur_kernel_size', 40),
        ('blur_sigma', (5, 1)),
        ('jpeg_range', (0, 50)),
        ('kernel_prob', (0.5, 0.6)),
        ('kernel_list', ('iso', 'plateau')),
        ('noise_range', (-1, 3)),
        ('downsample_range', (0, 3)),
        ('severity_range', (0, 1.5)),
    ],
)
def test_wrong_ranges_are_errors_that_name_the_option(option, value):
    with pytest.raises(InputError, match=option):
        DegradationRanges(**{option: value})


def test_kernel_size_of_gfpgans_option_files():
    assert DegradationRanges(blur_kernel_size=41).blur_kernel_size == (41,)
