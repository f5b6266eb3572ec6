import cv2
import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import jv

from daefr_arch.data.turbulence import (
    GRID,
    HIGH_ORDERS,
    PSF_SIZE,
    TurbulenceConditions,
    apply_turbulence,
    blend_blurs,
    draw_psfs,
    draw_tilts,
    tilt_correlation,
)
from daefr_arch.data.zernike import noll_covariance
from daefr_arch.errors import InputError
from tests.data.faces import face

SLIGHT, SEVERE = TurbulenceConditions(path_length=10_000), TurbulenceConditions(path_length=40_000)


def test_fried_parameter_and_tilt_variance():
    conditions = TurbulenceConditions(path_length=7000)  # the published simulator's example: r0 = 0.0478 m
    assert conditions.fried_parameter == pytest.approx(0.0478, abs=1e-4)
    assert conditions.d_over_r0 == pytest.approx(0.2034 / 0.0478, rel=2e-3)
    assert SEVERE.d_over_r0 / SLIGHT.d_over_r0 == pytest.approx(4**0.6)
    expected = 0.449 * SLIGHT.d_over_r0 ** (5 / 3) * (4 / np.pi) ** 2
    assert SLIGHT.tilt_variance == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize('order', [0, 2])
@pytest.mark.parametrize('separation', [0.5, 2.0, 9.0, 30.0])
def test_tilt_correlation_is_the_bessel_integral(separation, order):
    def integral(n, s):
        def integrand(t):  # x = t^3
            return 3 * t**2 * t**-14 * jv(n, s * t**3) * jv(2, t**3) ** 2

        return quad(integrand, 1e-6, 3.5, limit=4000, epsabs=1e-12)[0]

    expected = integral(order, separation) / integral(0, 0)
    assert tilt_correlation(np.array([separation]), order)[0] == pytest.approx(expected, abs=3e-3)


def test_tilts_have_the_variance_and_correlation_of_the_theory():
    size, lag = 96, 24
    fields = np.stack([draw_tilts(SEVERE, (size, size), np.random.default_rng(i)) for i in range(300)])
    variance = np.mean(fields**2, axis=(0, 2, 3))
    np.testing.assert_allclose(variance, SEVERE.tilt_variance, rtol=0.12)
    assert abs(fields.mean()) < 0.06 * SEVERE.tilt_variance**0.5 * 2
    across = np.mean(fields[:, 0, :-lag] * fields[:, 0, lag:])
    along = np.mean(fields[:, 0, :, :-lag] * fields[:, 0, :, lag:])
    # the path average of I_0 -+ I_2, written out anew
    u = (np.arange(400) + 0.5) / 400
    weight = (1 - u) ** (5 / 3)
    separation = lag * SEVERE.path_length * SEVERE.wavelength / SEVERE.aperture**2 * u / (1 - u)
    i0, i2 = (weight @ tilt_correlation(separation, order) / weight.sum() for order in (0, 2))
    assert along / SEVERE.tilt_variance == pytest.approx(i0 - i2, abs=0.08)
    assert across / SEVERE.tilt_variance == pytest.approx(i0 + i2, abs=0.08)
    differences = np.mean((fields[:, 0, :-lag] - fields[:, 0, lag:]) ** 2) / (2 * SEVERE.tilt_variance)
    assert differences == pytest.approx(1 - i0 - i2, rel=0.15)


def test_blur_kernels_spread_as_the_phase_does():
    sizes = []
    axis = np.arange(PSF_SIZE) - PSF_SIZE // 2
    for conditions in (SLIGHT, SEVERE):
        psfs = draw_psfs(conditions, 300, np.random.default_rng(0))
        assert psfs.min() >= 0
        np.testing.assert_allclose(psfs.sum((1, 2)), 1, atol=1e-4)
        mean = psfs.mean(0)
        np.testing.assert_allclose([(mean.sum(0) * axis).sum(), (mean.sum(1) * axis).sum()], 0, atol=0.5)
        sizes.append(np.sqrt((mean * (axis[:, None] ** 2 + axis**2)).sum()))
    # the width grows with D/r0 or less: part of the light leaves the kernel's window at the severe end
    assert 1.3 < sizes[1] / sizes[0] < 4**0.6


def test_weak_turbulence_has_the_strehl_ratio_of_its_phase_variance():
    weak = TurbulenceConditions(path_length=10_000, cn2=1e-15 / 40)
    variance = np.trace(noll_covariance(HIGH_ORDERS)) * weak.d_over_r0 ** (5 / 3)
    still = draw_psfs(TurbulenceConditions(path_length=1, cn2=1e-20), 1, np.random.default_rng(0))[0]
    centre = (slice(None), PSF_SIZE // 2, PSF_SIZE // 2)
    strehl = draw_psfs(weak, 500, np.random.default_rng(0))[centre].mean() / still.max()
    assert strehl == pytest.approx(np.exp(-variance), abs=0.02)  # Marechal's approximation


def test_equal_kernels_everywhere_are_one_convolution():
    image = face(80)[:70].astype(np.float32) / 255
    psf = np.zeros((PSF_SIZE, PSF_SIZE), np.float32)
    psf[PSF_SIZE // 2, PSF_SIZE // 2], psf[PSF_SIZE // 2 + 3, PSF_SIZE // 2 - 5] = 0.75, 0.25
    points = (-(-70 // GRID) + 1, -(-80 // GRID) + 1)
    result = blend_blurs(image, np.broadcast_to(psf, (*points, *psf.shape)))
    moved = np.roll(image, (3, -5), axis=(0, 1))
    np.testing.assert_allclose(result[5:-8, 8:-8], (0.75 * image + 0.25 * moved)[5:-8, 8:-8], atol=1e-5)


def test_still_air_leaves_the_diffraction_of_the_aperture():
    image = face(96).astype(np.float32) / 255
    still = TurbulenceConditions(path_length=10_000, cn2=1e-22)
    airy = draw_psfs(still, 1, np.random.default_rng(0))[0]
    assert np.unravel_index(airy.argmax(), airy.shape) == (PSF_SIZE // 2, PSF_SIZE // 2)
    expected = cv2.filter2D(image, -1, airy[1:, 1:])  # symmetric about the centre
    np.testing.assert_allclose(apply_turbulence(image, still, seed=0), expected, atol=5e-3)


def test_seed_decides_and_colours_move_together():
    image = np.repeat(face(96)[..., :1], 3, axis=2).astype(np.float32) / 255
    result = apply_turbulence(image, SLIGHT, seed=4)
    np.testing.assert_array_equal(result, apply_turbulence(image, SLIGHT, seed=4))
    assert np.abs(result - apply_turbulence(image, SLIGHT, seed=5)).mean() > 0.005
    np.testing.assert_allclose(result[..., 0], result[..., 2], atol=1e-5)
    assert result.shape == image.shape
    assert result.dtype == np.float32


def test_longer_paths_damage_more():
    image = face(128).astype(np.float32) / 255
    errors = [
        np.mean(
            [
                np.abs(apply_turbulence(image, TurbulenceConditions(path_length=path), seed=s) - image).mean()
                for s in (0, 1)
            ]
        )
        for path in (2_000, 10_000, 40_000)
    ]
    assert errors == sorted(errors)


def test_conditions_must_be_positive():
    with pytest.raises(InputError, match='path_length'):
        TurbulenceConditions(path_length=0)
