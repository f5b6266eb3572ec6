import numpy as np
import pytest

from daefr_arch.data.zernike import KOLMOGOROV, noll_covariance, noll_to_radial, zernike


def test_noll_order():
    expected = [(0, 0), (1, 1), (1, -1), (2, 0), (2, -2), (2, 2), (3, -1), (3, 1), (3, -3), (3, 3), (4, 0)]
    assert [noll_to_radial(j) for j in range(1, 12)] == expected


def test_polynomials_are_orthonormal_on_the_disc():
    axis = (np.arange(400) + 0.5) / 200 - 1
    x, y = np.meshgrid(axis, axis)
    radius, angle = np.hypot(x, y), np.arctan2(y, x)
    modes = np.stack([zernike(j, radius, angle) for j in range(1, 37)])
    products = np.einsum('ayx,byx->ab', modes, modes) / (radius <= 1).sum()
    np.testing.assert_allclose(products, np.eye(36), atol=0.02)


def test_named_polynomials():
    radius, angle = np.array([0.0, 0.5, 1.0, 1.2]), np.array([0.0, 0.3, 2.0, 0.0])
    np.testing.assert_allclose(zernike(2, radius, angle), [0, np.cos(0.3), 2 * np.cos(2.0), 0])
    np.testing.assert_allclose(zernike(4, radius, angle), np.sqrt(3) * np.array([-1, -0.5, 1, 0]))


def test_covariance_is_nolls():
    assert pytest.approx(0.0229, abs=5e-5) == KOLMOGOROV
    covariance = noll_covariance(range(2, 37))
    # Noll 1976: Table IV's differences of residual variances, and the tilt-coma covariance
    np.testing.assert_allclose(np.diag(covariance)[:6], [0.448, 0.448, 0.0232, 0.0232, 0.0232, 0.0062], atol=1e-3)
    assert covariance[0, 6] == pytest.approx(-0.0141, abs=2e-4)
    assert covariance[2, 9] == pytest.approx(-0.0039, abs=1e-4)
    assert covariance[0, 5] == 0
    np.testing.assert_array_equal(covariance, covariance.T)
    assert np.linalg.eigvalsh(covariance).min() > 0
    # residual variances of his Table IV after 1, 3 and 21 modes: 1.0299, 0.134, 0.0208
    ratio = np.diag(covariance)[:20].sum() / np.diag(covariance)[:2].sum()
    assert ratio == pytest.approx((1.0299 - 0.0208) / (1.0299 - 0.134), rel=2e-3)
