"""Anisoplanatic atmospheric turbulence by sampling Zernike coefficients.

Chimitt and Chan, "Simulating anisoplanatic turbulence by sampling intermodal and spatially correlated Zernike
coefficients", Optical Engineering 59 (2020). The wavefront that reaches each pixel is described by Noll's coefficients
2 to 36. Coefficients 2 and 3 (tilt) shift the pixel and are drawn with their correlation over the image; 4 to 36 make a
blur kernel, are drawn with their correlation to one another for a grid of points, and the blurred images are blended
between these. The image is shifted first and blurred then.

Table 4 of the DAEFR paper gives this simulator "degradation parameters" of 10,000 to 40,000 and does not define them.
Here they are read as the length of the path in metres.
"""

import functools
import math
from dataclasses import dataclass

import cv2
import numpy as np
from scipy.special import gamma, j0, jv

from daefr_arch.data.zernike import noll_covariance, zernike
from daefr_arch.errors import InputError

HIGH_ORDERS = range(4, 37)  # Noll indices that blur
PUPIL_SAMPLES = 32
PSF_SIZE = 2 * PUPIL_SAMPLES  # pixels; the zero padding by 2 makes a pixel lambda / (2 D)
GRID = 32  # pixels between the points that have a blur kernel of their own


@dataclass(frozen=True, kw_only=True)
class TurbulenceConditions:
    """What the light meets. A pixel sees the angle wavelength / (2 aperture), Nyquist sampling of the optics.

    The defaults but the path are those of the published simulator's examples.
    """

    path_length: float  # metres, L
    aperture: float = 0.2034  # metres, D
    wavelength: float = 525e-9  # metres
    cn2: float = 1e-15  # refractive index structure constant along the path, m^(-2/3)

    def __post_init__(self) -> None:
        for name in ('path_length', 'aperture', 'wavelength', 'cn2'):
            if not 0 < getattr(self, name) < math.inf:
                raise InputError(f'turbulence: {name}: expected a positive number, got {getattr(self, name)}')

    @property
    def fried_parameter(self) -> float:
        """r0 in metres, of a spherical wave: (0.423 k^2 Cn2 L 3/8)^(-3/5)."""
        wavenumber = 2 * math.pi / self.wavelength
        return (0.423 * wavenumber**2 * self.cn2 * self.path_length * 3 / 8) ** (-3 / 5)

    @property
    def d_over_r0(self) -> float:
        """Strength of the turbulence: aperture over Fried parameter."""
        return self.aperture / self.fried_parameter

    @property
    def tilt_variance(self) -> float:
        """Of the shift of a pixel along one axis, in pixels^2."""
        coefficient = noll_covariance(range(2, 3))[0, 0] * self.d_over_r0 ** (5 / 3)
        # a coefficient of 1 rad tilts the wavefront by 2 lambda / (pi D), which is 4 / pi pixels
        return float(coefficient * (4 / math.pi) ** 2)


def apply_turbulence(image: np.ndarray, conditions: TurbulenceConditions, *, seed: int) -> np.ndarray:
    """A picture taken through turbulence with a short exposure; all channels see the same wavefront.

    Args:
        image: (H, W, 3) float32, range [0, 1], any channel order.
        conditions: of the turbulence.
        seed: of its state at that moment.

    Returns:
        (H, W, 3) float32, range [0, 1].
    """
    rng = np.random.default_rng(seed)
    height, width = image.shape[:2]
    tilts = draw_tilts(conditions, (height, width), rng)
    rows, columns = np.indices((height, width), dtype=np.float32)
    shifted = cv2.remap(image, columns + tilts[0], rows + tilts[1], cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101)
    points = (math.ceil(height / GRID) + 1, math.ceil(width / GRID) + 1)
    psfs = draw_psfs(conditions, points[0] * points[1], rng).reshape(*points, PSF_SIZE, PSF_SIZE)
    return np.clip(blend_blurs(shifted, psfs), 0, 1)


def draw_tilts(conditions: TurbulenceConditions, shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """Shifts (2, H, W) float32 in pixels, to the right and down, with their variance and correlation over the image.

    Each plane wave of the turbulence tilts light along its own direction. So one scalar field, times the directions of
    its frequencies, gives both components with the right correlation between them.
    """
    spectrum = _tilt_spectrum(conditions, shape)
    size = len(spectrum)
    field = np.fft.fft2(rng.standard_normal((size, size))) * np.sqrt(spectrum)
    y, x = np.meshgrid(np.fft.fftfreq(size), np.fft.fftfreq(size), indexing='ij')
    norm = np.hypot(x, y)
    norm[0, 0] = 1
    tilts = np.fft.ifft2(np.stack([x, y]) / norm * 1j * field).real
    # the shift that all pixels share has no direction in the field
    tilts += rng.standard_normal(2)[:, None, None] * math.sqrt(spectrum[0, 0] / 2) / size
    return tilts[:, : shape[0], : shape[1]].astype(np.float32)


def draw_psfs(conditions: TurbulenceConditions, count: int, rng: np.random.Generator) -> np.ndarray:
    """Blur kernels (count, PSF_SIZE, PSF_SIZE) float32, sum 1, centre at PSF_SIZE // 2, of independent wavefronts."""
    covariance = noll_covariance(HIGH_ORDERS) * conditions.d_over_r0 ** (5 / 3)
    coefficients = rng.standard_normal((count, len(HIGH_ORDERS))) @ np.linalg.cholesky(covariance).T
    pupil, modes = _pupil()
    phase = np.tensordot(coefficients, modes, axes=1)
    field = np.fft.fft2(pupil * np.exp(1j * phase), s=(PSF_SIZE, PSF_SIZE))
    psfs = np.fft.fftshift(np.abs(field) ** 2, axes=(1, 2))
    return (psfs / psfs.sum((1, 2), keepdims=True)).astype(np.float32)


def blend_blurs(image: np.ndarray, psfs: np.ndarray) -> np.ndarray:
    """Blurs (H, W, 3) with kernels (rows, columns, K, K) of points GRID pixels apart, blended bilinearly between them.

    Each kernel is applied to the pixels around its point only, and the borders of the image are reflected.
    """
    height, width = image.shape[:2]
    reach = GRID + PSF_SIZE // 2
    padded = cv2.copyMakeBorder(image, reach, 2 * reach, reach, 2 * reach, cv2.BORDER_REFLECT_101)
    result = np.zeros((height + 3 * GRID, width + 3 * GRID, 3), np.float32)
    hat = 1 - np.abs(np.arange(-GRID, GRID) / np.float32(GRID))
    weight = (hat[:, None] * hat)[..., None].astype(np.float32)
    for row, column in np.ndindex(psfs.shape[:2]):
        top, left = row * GRID, column * GRID
        patch = padded[top : top + 2 * reach, left : left + 2 * reach]
        # filter2D correlates: flipping makes it a convolution, about the centre of the flipped kernel
        anchor = (PSF_SIZE - 1 - PSF_SIZE // 2,) * 2
        blurred = cv2.filter2D(patch, -1, psfs[row, column, ::-1, ::-1], anchor=anchor)
        inner = slice(PSF_SIZE // 2, PSF_SIZE // 2 + 2 * GRID)
        result[top : top + 2 * GRID, left : left + 2 * GRID] += weight * blurred[inner, inner]
    return result[GRID : GRID + height, GRID : GRID + width]


def tilt_correlation(separation: np.ndarray, order: int) -> np.ndarray:
    """I_order(s) / I_0(0), where I_n(s) is the integral of x^(-14/3) J_n(s x) J_2(x)^2 over x > 0, for order 0.

    The correlation of the tilts over two equal apertures at a distance of s radii (Chanan 1992) is I_0 - I_2 along the
    distance and I_0 + I_2 across it; I_0 is their mean.
    """
    near = np.minimum(separation, _FAR)
    t = np.linspace(0, 4, 4001)[1:]  # x = t^3 removes the singularity at 0; the integrand beyond x = 64 is negligible
    weight = 3 * t**2 * (t**3) ** (-14 / 3) * jv(2, t**3) ** 2
    table = np.geomspace(1e-3, _FAR, 300)
    values = [weight @ (j0(s * t**3) if order == 0 else jv(order, s * t**3)) for s in (0, *table)]
    normal = weight.sum()
    result = np.interp(near, [0, *table], np.array(values) / normal)
    # beyond _FAR only J_2(x) = x^2 / 8 at small x counts, which leaves a power of s
    step = t[1] - t[0]
    power = gamma((order + 1 / 3) / 2) / gamma((order - 1 / 3) / 2 + 1) * 2 ** (-2 / 3) / 64
    return np.where(separation > _FAR, power / (normal * step) * np.maximum(separation, 1) ** (-1 / 3), result)


_FAR = 12.0  # aperture radii


@functools.lru_cache(maxsize=8)
def _tilt_spectrum(conditions: TurbulenceConditions, shape: tuple[int, int]) -> np.ndarray:
    """Power of the sum of both tilts, (N, N) in pixels^2, on a periodic grid that holds `shape` twice."""
    size = 2 * max(shape)
    distance = np.minimum(np.arange(size), size - np.arange(size))
    covariance = 2 * conditions.tilt_variance * _path_correlation(conditions, np.hypot(distance[:, None], distance))
    return np.maximum(np.fft.fft2(covariance).real, 0)


def _path_correlation(conditions: TurbulenceConditions, pixels: np.ndarray) -> np.ndarray:
    """Mean correlation of both tilts of pixels at a distance, over the path from the camera (u = 0) to the object (1).

    The light of two pixels is apart by u times their distance on the object; the beam of each has narrowed to 1 - u of
    the aperture, which weighs the turbulence there by (1 - u)^(5/3) (Basu, McCrae and Fiorino 2015).
    """
    c = conditions
    u = (np.arange(200) + 0.5) / 200
    weight = (1 - u) ** (5 / 3) / ((1 - u) ** (5 / 3)).sum()
    radii_per_pixel = c.path_length * c.wavelength / c.aperture**2
    distances = np.linspace(0, pixels.max(), 400) ** 2 / max(pixels.max(), 1)  # denser where it falls steeply
    separation = distances[:, None] * radii_per_pixel * u / (1 - u)
    return np.interp(pixels, distances, tilt_correlation(separation, 0) @ weight)


@functools.cache
def _pupil() -> tuple[np.ndarray, np.ndarray]:
    """The aperture (S, S) and the modes HIGH_ORDERS on it (N, S, S)."""
    axis = (np.arange(PUPIL_SAMPLES) + 0.5) / PUPIL_SAMPLES * 2 - 1
    x, y = np.meshgrid(axis, axis)
    radius, angle = np.hypot(x, y), np.arctan2(y, x)
    return (radius <= 1).astype(float), np.stack([zernike(j, radius, angle) for j in HIGH_ORDERS])
