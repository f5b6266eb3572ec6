"""The degradation of Eq. 8: blur, bilinear downsampling, Gaussian noise, JPEG, bilinear upsampling.

Ranges, the parameters drawn from them, and the image operation are apart: `degrade(image, params)` is a pure function,
so that a row of numbers is enough to repeat an image.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import cv2
import numpy as np
from basicsr.data.degradations import bivariate_Gaussian
from pydantic import BeforeValidator, PositiveInt, model_validator

from daefr_arch.data.blur import blur_and_downsample
from daefr_arch.options.kinds import Range, Share
from daefr_arch.options.section import OptionError, Section

# lowest and highest value of each range
_LIMITS = {
    'blur_sigma': (1e-3, 1e3),
    'downsample_range': (0.1, 1e3),
    'noise_range': (0, 255),
    'jpeg_range': (1, 100),
    'severity_range': (0, 1),
}


def _several(value: Any) -> Any:
    """GFPGAN's option files give one number."""
    return (value,) if isinstance(value, int) else value


class DegradationRanges(Section):
    """Ranges that the parameters of Eq. 8 are drawn from, uniformly. Names are GFPGAN's, the defaults the paper's.

    What is measured in pixels belongs to images of 512x512: halve it for 256x256. `DegradationRanges.read` raises
    InputError for wrong values.
    """

    blur_kernel_size: Annotated[
        Sequence[PositiveInt], BeforeValidator(_several, json_schema_input_type=PositiveInt | Sequence[PositiveInt])
    ] = (39, 41)
    """pixels, odd; one of them is drawn"""
    kernel_list: Sequence[Literal['iso', 'aniso']] = ('iso', 'aniso')
    """kinds of Gaussian blur"""
    kernel_prob: Sequence[Share] = (0.5, 0.5)
    """share of each kind"""
    blur_sigma: Range = (0.1, 15)
    """pixels, of each axis of the Gaussian; official code in stages 1 and 2: 0.1 to 10"""
    downsample_range: Range = (0.8, 30)
    """the factor r; official code in stages 1 and 2: 0.8 to 8"""
    noise_range: Range = (0, 20)
    """standard deviation, of 255"""
    jpeg_range: Range = (30, 100)
    """quality, rounded after the draw; official code in stages 1 and 2: 60 to 100"""
    severity_range: Range = (1, 1)
    """drawn first: the share of the four ranges, from their mild ends, that is in use"""

    @model_validator(mode='after')
    def _check(self) -> 'DegradationRanges':
        if not all(size % 2 for size in self.blur_kernel_size):
            raise OptionError(('blur_kernel_size',), f': expected odd numbers, got {list(self.blur_kernel_size)}')
        if len(self.kernel_prob) != len(self.kernel_list) or not math.isclose(sum(self.kernel_prob), 1):
            problem = f': expected one number for each kernel, sum 1, got {list(self.kernel_prob)}'
            raise OptionError(('kernel_prob',), problem)
        for name, (lowest, highest) in _LIMITS.items():
            low, high = getattr(self, name)
            if not lowest <= low <= high <= highest:
                problem = f': expected {lowest:g} <= low <= high <= {highest:g}, got [{low:g}, {high:g}]'
                raise OptionError((name,), problem)
        return self


@dataclass(frozen=True, kw_only=True)
class DegradationParams:
    """Everything that `degrade` needs to know about one image."""

    kernel_size: int  # pixels, odd
    sigma_x: float  # pixels
    sigma_y: float  # pixels; equal to sigma_x for an isotropic kernel
    rotation: float  # radians; 0 for an isotropic kernel
    downsample: float  # the factor r: the small image is int(width // r) by int(height // r)
    noise_sigma: float  # of 255
    noise_seed: int  # of the NumPy generator that draws the noise
    jpeg_quality: int


def draw_params(ranges: DegradationRanges, rng: np.random.Generator) -> DegradationParams:
    """Draws the parameters of one image: always nine uniform numbers, so that one range never moves another's draw.
    A severity that is a range itself takes a tenth.

    Only `rng.random` is used, whose numbers follow from the seed alone; NumPy may change its other distributions.
    """
    size, kind, sigma_x, sigma_y, rotation, downsample, noise, seed, quality = rng.random(9)
    low, high = ranges.severity_range
    severity = _scaled(rng.random(), (low, high)) if low < high else high
    isotropic = ranges.kernel_list[np.searchsorted(np.cumsum(ranges.kernel_prob)[:-1], kind, side='right')] == 'iso'
    return DegradationParams(
        kernel_size=ranges.blur_kernel_size[int(size * len(ranges.blur_kernel_size))],
        sigma_x=_scaled(sigma_x * severity, ranges.blur_sigma),
        sigma_y=_scaled((sigma_x if isotropic else sigma_y) * severity, ranges.blur_sigma),
        rotation=0.0 if isotropic else _scaled(rotation, (-math.pi, math.pi)),
        downsample=_scaled(downsample * severity, ranges.downsample_range),
        noise_sigma=_scaled(noise * severity, ranges.noise_range),
        noise_seed=int(seed * 2**32),
        jpeg_quality=round(_scaled(quality + (1 - quality) * (1 - severity), ranges.jpeg_range)),
    )


def degrade(image: np.ndarray, params: DegradationParams) -> np.ndarray:
    """Applies Eq. 8.

    Args:
        image: (H, W, 3) float32, range [0, 1], BGR (the order matters to JPEG only).
        params: of this image.

    Returns:
        (H, W, 3) float32, range [0, 1], BGR; not rounded to 8 bits.
    """
    height, width = image.shape[:2]
    small_size = shrunk_size(width, params.downsample), shrunk_size(height, params.downsample)
    small = blur_and_downsample(image, gaussian_kernel(params), small_size)
    small = add_gaussian_noise(small, sigma=params.noise_sigma, seed=params.noise_seed)
    small = compress_jpeg(small, quality=params.jpeg_quality)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)


def degraded_image(image: np.ndarray, params: DegradationParams) -> np.ndarray:
    """`degrade` of 8 bits: (H, W, 3) uint8 BGR -> same, rounded."""
    return np.rint(degrade(image.astype(np.float32) / 255, params) * 255).astype(np.uint8)


def shrunk_size(length: int, factor: float) -> int:
    """Pixels that are left of `length`, at least one."""
    return max(1, int(length // factor))


def _scaled(unit: float, limits: Sequence[float]) -> float:
    low, high = limits
    return float(low + unit * (high - low))


def gaussian_kernel(params: DegradationParams) -> np.ndarray:
    """The blur kernel, (K, K) float64, sum 1."""
    return bivariate_Gaussian(
        params.kernel_size, params.sigma_x, params.sigma_y, params.rotation, isotropic=params.sigma_x == params.sigma_y
    )


def add_gaussian_noise(image: np.ndarray, *, sigma: float, seed: int) -> np.ndarray:
    """Adds white noise of standard deviation sigma / 255 to each channel; result float32, clipped to [0, 1].

    BasicSR's function of this name draws from NumPy's global state, which the other parts of a program share.
    """
    noise = np.random.default_rng(seed).standard_normal(image.shape, dtype=np.float32)
    return np.clip(image + noise * np.float32(sigma / 255), 0, 1)


def compress_jpeg(image: np.ndarray, *, quality: int) -> np.ndarray:
    """Encodes and decodes an image (H, W, 3) float32 BGR of range [0, 1].

    Equals BasicSR's add_jpg_compression, which leaves the rounding to `cv2.imencode` at the price of its warning.
    """
    _, encoded = cv2.imencode('.jpg', np.rint(image * 255).astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR), np.float32) / 255
