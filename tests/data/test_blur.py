import cv2
import numpy as np
import pytest
from basicsr.data.degradations import bivariate_Gaussian

from daefr_arch.data.blur import KERNEL_TOLERANCE, bilinear_taps, blur_and_downsample, separable_terms
from tests.data.faces import face

KERNELS = {
    'isotropic': (41, 7.0, 7.0, 0.0),
    'delta': (39, 0.1, 0.1, 0.0),
    'aligned': (39, 0.1, 12.0, 0.0),
    'smooth': (41, 9.0, 12.0, 0.7),
    'streak': (41, 0.6, 15.0, -2.3),
}


@pytest.mark.parametrize('size', [(17, 17), (60, 45), (200, 190), (250, 250)])
@pytest.mark.parametrize('name', KERNELS)
def test_equals_plain_filter_and_resize(name, size):
    kernel_size, sigma_x, sigma_y, rotation = KERNELS[name]
    kernel = bivariate_Gaussian(kernel_size, sigma_x, sigma_y, rotation, isotropic=False)
    image = face(200).astype(np.float32) / 255
    expected = cv2.resize(cv2.filter2D(image, -1, kernel), size, interpolation=cv2.INTER_LINEAR)
    result = blur_and_downsample(image, kernel, size)
    assert result.dtype == np.float32
    np.testing.assert_allclose(result, expected, atol=1e-4)


@pytest.mark.parametrize(('name', 'terms'), [('isotropic', 1), ('delta', 1), ('aligned', 1)])
def test_axis_aligned_gaussians_are_one_separable_term(name, terms):
    kernel_size, sigma_x, sigma_y, rotation = KERNELS[name]
    columns, rows = separable_terms(bivariate_Gaussian(kernel_size, sigma_x, sigma_y, rotation, isotropic=False))
    assert columns.shape == rows.shape == (terms, kernel_size)


@pytest.mark.parametrize('name', KERNELS)
def test_separable_terms_sum_to_the_kernel(name):
    kernel_size, sigma_x, sigma_y, rotation = KERNELS[name]
    kernel = bivariate_Gaussian(kernel_size, sigma_x, sigma_y, rotation, isotropic=False)
    columns, rows = separable_terms(kernel)
    assert np.abs(columns.T @ rows - kernel).sum() <= KERNEL_TOLERANCE + 1e-5  # float32 of the terms


@pytest.mark.parametrize(('length', 'new_length'), [(512, 17), (512, 511), (200, 250), (7, 7)])
def test_bilinear_taps_are_those_of_opencv(length, new_length):
    first, fraction = bilinear_taps(length, new_length)
    ramp = np.random.default_rng(0).random((1, length), dtype=np.float32)
    expected = cv2.resize(ramp, (new_length, 1), interpolation=cv2.INTER_LINEAR)[0]
    result = ramp[0, first] * (1 - fraction) + ramp[0, first + 1] * fraction
    np.testing.assert_allclose(result, expected, atol=1e-4)


def test_keeps_a_constant_image():
    image = np.full((64, 80, 3), 0.25, np.float32)
    kernel = bivariate_Gaussian(41, 3.0, 11.0, 0.4, isotropic=False)
    np.testing.assert_allclose(blur_and_downsample(image, kernel, (9, 11)), 0.25, atol=1e-4)
