"""NIQE against a second implementation: other Gaussian filter, resizer, root finder and linear solver."""

from pathlib import Path

import basicsr.metrics
import numpy as np
import pytest
from basicsr.metrics import calculate_metric
from PIL import Image
from scipy.ndimage import gaussian_filter
from scipy.optimize import brentq
from scipy.special import gamma

from daefr_arch.errors import InputError
from daefr_arch.metrics.niqe_metric import NIQE, daefr_niqe

PRISTINE = np.load(Path(basicsr.metrics.__file__).parent / 'niqe_pris_params.npz')


def asymmetric_gaussian(values: np.ndarray) -> tuple[float, float, float]:
    """Shape and both scales of the asymmetric generalised Gaussian with the moments of `values`."""
    left, right = (np.sqrt(np.mean(values[side] ** 2)) for side in (values < 0, values > 0))
    ratio = left / right
    moment = np.mean(np.abs(values)) ** 2 / np.mean(values**2) * (ratio**3 + 1) * (ratio + 1) / (ratio**2 + 1) ** 2
    shape = brentq(lambda a: gamma(2 / a) ** 2 / (gamma(1 / a) * gamma(3 / a)) - moment, 0.2, 10)
    scale = np.sqrt(gamma(1 / shape) / gamma(3 / shape))
    return shape, left * scale, right * scale


def block_features(block: np.ndarray) -> list[float]:
    shape, left, right = asymmetric_gaussian(block)
    features = [shape, (left + right) / 2]
    for shift in ((0, 1), (1, 0), (1, 1), (1, -1)):
        shape, left, right = asymmetric_gaussian(block * np.roll(block, shift, (0, 1)))
        features += [shape, (right - left) * gamma(2 / shape) / gamma(1 / shape), left, right]
    return features


def reference_niqe(bgr: np.ndarray) -> float:
    luma = np.round(bgr @ np.array([24.966, 128.553, 65.481]) / 255 + 16)
    luma = luma[: luma.shape[0] // 96 * 96, : luma.shape[1] // 96 * 96]
    scales = []
    for size in (96, 48):
        # 7x7 window of sigma 7/6
        mean = gaussian_filter(luma, 7 / 6, radius=3, mode='nearest')
        deviation = np.sqrt(np.abs(gaussian_filter(luma**2, 7 / 6, radius=3, mode='nearest') - mean**2))
        plane = (luma - mean) / (deviation + 1)
        corners = [(y, x) for x in range(0, plane.shape[1], size) for y in range(0, plane.shape[0], size)]
        scales.append([block_features(plane[y : y + size, x : x + size]) for y, x in corners])
        half = Image.fromarray(luma.astype(np.float32)).resize((luma.shape[1] // 2, luma.shape[0] // 2), Image.BICUBIC)
        luma = np.asarray(half, np.float64)
    features = np.concatenate(scales, axis=1)
    difference = features.mean(0) - PRISTINE['mu_pris_param'].ravel()
    covariance = (PRISTINE['cov_pris_param'] + np.cov(features, rowvar=False)) / 2
    return float(np.sqrt(difference @ np.linalg.lstsq(covariance, difference, rcond=1e-15)[0]))


def test_agrees_with_the_second_implementation(sharp, degraded):
    for image in (sharp, degraded):
        assert daefr_niqe(image) == pytest.approx(reference_niqe(image), rel=4e-3)


def test_order_of_channels_matters(sharp):
    assert abs(daefr_niqe(sharp[..., ::-1]) - daefr_niqe(sharp)) > 1e-4


def test_degradation_is_worse(sharp, degraded):
    assert NIQE()(degraded) > NIQE()(sharp)


@pytest.mark.parametrize('name', ['daefr_niqe', 'calculate_niqe'])
def test_options_of_basicsr(sharp, name):
    value = calculate_metric({'img': sharp, 'img2': sharp}, {'type': name, 'crop_border': 0})
    assert value == pytest.approx(daefr_niqe(sharp))


def test_one_block_has_no_covariance(sharp):
    with pytest.raises(InputError, match='two blocks'):
        daefr_niqe(sharp[:150, :150])
