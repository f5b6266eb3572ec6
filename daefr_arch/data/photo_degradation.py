"""Degradations of real photos, wider than Eq. 8: from untouched to a scan of a worn print.

A photo is drawn as a list of steps (functions with their numbers bound), which are then applied: first how the photo
shows the face (`appearance`, which the truth shares), then what hides the face (`damage`).
"""

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields

import numpy as np

from daefr_arch.data import photo_appearance, photo_processing, print_wear
from daefr_arch.data.blur import blur_and_downsample
from daefr_arch.data.degradation import (
    DegradationParams,
    DegradationRanges,
    add_gaussian_noise,
    compress_jpeg,
    draw_params,
    gaussian_kernel,
    shrunk_size,
)
from daefr_arch.errors import InputError
from daefr_arch.options.kinds import Share

Step = Callable[[np.ndarray], np.ndarray]
UPSCALING = ('linear', 'linear', 'cubic', 'cubic', 'lanczos', 'area', 'nearest')  # drawn with equal probability


@dataclass(frozen=True, kw_only=True)
class StepProbabilities:
    """How often each step is drawn, in [0, 1]; `untouched` leaves out everything but the appearance."""

    untouched: Share = 0.06
    cloth: Share = 0.1
    grey: Share = 0.15
    toned: Share = 0.1
    dark: Share = 0.15
    faded: Share = 0.1
    crisp: Share = 0.2
    grain: Share = 0.25
    halftone: Share = 0.05
    cracks: Share = 0.1
    folds: Share = 0.06
    dust: Share = 0.1
    stains: Share = 0.06
    motion: Share = 0.08
    denoise: Share = 0.12
    eq8: Share = 0.8
    sharpen: Share = 0.15
    jpeg_again: Share = 0.3

    def __post_init__(self) -> None:
        for name in (item.name for item in fields(self)):
            if not 0 <= getattr(self, name) <= 1:
                raise InputError(f'probabilities: {name}: expected a number in [0, 1], got {getattr(self, name)}')


@dataclass(frozen=True, kw_only=True)
class PhotoDegradation:
    """What is drawn. Lengths are in pixels of the image: the defaults suit faces of 256x256.

    ranges: of Eq. 8. severity_power: Eq. 8's ranges end at low + (high - low) * u ** severity_power, u uniform, so that
    light degradations are not rare beside heavy ones; 0 draws from the full ranges only.
    """

    ranges: DegradationRanges = field(default_factory=DegradationRanges)
    severity_power: float = 1.5
    probabilities: StepProbabilities = field(default_factory=StepProbabilities)


class _Draws:
    """Uniform numbers of one generator. Only `rng.random` is used, whose numbers follow from the seed alone."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng

    def chance(self, probability: float) -> bool:
        return bool(self.rng.random() < probability)

    def uniform(self, low: float, high: float) -> float:
        return float(low + (high - low) * self.rng.random())

    def power(self, low: float, high: float, exponent: float = 2) -> float:
        """Small values are more frequent."""
        return float(low + (high - low) * self.rng.random() ** exponent)

    def seed(self) -> int:
        return int(self.rng.random() * 2**32)

    def one_of(self, values: Sequence[str]) -> str:
        return values[int(self.rng.random() * len(values))]


def degrade_photo(
    face: np.ndarray, degradation: PhotoDegradation, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Draws and applies the steps of one photo.

    Args:
        face: (H, W, 3) float32, range [0, 1], BGR: a sound face.
        degradation: what is drawn.
        rng: of the draws; the same state gives the same photo.

    Returns:
        (photo, truth), both like `face` and not rounded: the truth has the photo's appearance and no damage.
    """
    appearance, damage = draw_steps(degradation, rng)
    truth = functools.reduce(_apply, appearance, face)
    return functools.reduce(_apply, damage, truth), truth


def draw_steps(degradation: PhotoDegradation, rng: np.random.Generator) -> tuple[list[Step], list[Step]]:
    """(appearance, damage) of one photo, in their order."""
    draws, chances = _Draws(rng), degradation.probabilities
    untouched = draws.chance(chances.untouched)
    appearance = list(_appearance(draws, chances))
    if untouched:
        return appearance, []
    wear = list(_wear(draws, chances))
    capture = list(_capture(draws, degradation, rng))
    # worn prints are scanned sharply as often as they are photographed badly
    return appearance, [*capture, *wear] if draws.chance(0.5) else [*wear, *capture]


def _apply(image: np.ndarray, step: Step) -> np.ndarray:
    return step(image)


def _appearance(draws: _Draws, chances: StepProbabilities) -> Sequence[Step]:
    steps: list[Step] = []
    if draws.chance(chances.cloth):
        colours = [[draws.uniform(0, 1) for _ in range(3)] for _ in range(2)]
        period, cover = draws.uniform(2.5, 10), draws.uniform(0.1, 0.6)
        steps.append(
            functools.partial(
                photo_appearance.add_cloth, period=period, colours=colours, cover=cover, seed=draws.seed()
            )
        )
    if draws.chance(chances.toned):
        warmth = draws.uniform(-0.05, 0.22)
        shadow = [max(0.0, draws.uniform(0, 0.12) + warmth * share) for share in (-0.2, 0.0, 0.4)]
        light = [min(1.0, draws.uniform(0.8, 0.98) - warmth * share) for share in (1.0, 0.35, 0.0)]
        steps.append(functools.partial(photo_appearance.tone, shadow=shadow, light=light))
    elif draws.chance(chances.grey):
        steps.append(photo_appearance.to_grey)
    if draws.chance(chances.dark):
        gain, gamma = draws.uniform(0.25, 1.0), draws.uniform(0.9, 1.8)
        steps.append(functools.partial(photo_appearance.expose, gain=gain, gamma=gamma))
    if draws.chance(chances.faded):
        cast, darkest, lightest = draws.uniform(0, 0.12), draws.uniform(0.05, 0.3), draws.uniform(0.65, 0.95)
        black = [max(0.0, darkest + cast * draws.uniform(-0.5, 0.5)) for _ in range(3)]
        white = [min(1.0, lightest + cast * draws.uniform(-0.5, 0.5)) for _ in range(3)]
        steps.append(functools.partial(photo_appearance.fade, black=black, white=white))
    if draws.chance(chances.crisp):
        amount, radius = draws.uniform(0.2, 1.2), draws.uniform(0.5, 1)
        steps.append(functools.partial(photo_processing.sharpen, amount=amount, radius=radius))
    return steps


def _wear(draws: _Draws, chances: StepProbabilities) -> Sequence[Step]:
    steps: list[Step] = []
    if draws.chance(chances.halftone):
        period, angle = draws.uniform(2.2, 6), draws.uniform(0, math.pi / 2)
        softness, strength = draws.uniform(0.05, 0.4), draws.uniform(0.15, 0.9)
        steps.append(
            functools.partial(print_wear.halftone, period=period, angle=angle, softness=softness, strength=strength)
        )
    if draws.chance(chances.grain):
        colour = draws.uniform(0, 1) if draws.chance(0.5) else 0.0
        sigma, size = draws.power(1, 40), draws.power(0, 1.8, 1.5)
        steps.append(functools.partial(print_wear.add_grain, sigma=sigma, size=size, colour=colour, seed=draws.seed()))
    if draws.chance(chances.stains):
        count, strength = int(draws.uniform(1, 5)), draws.uniform(0.1, 0.6)
        steps.append(functools.partial(print_wear.add_stains, count=count, strength=strength, seed=draws.seed()))
    if draws.chance(chances.cracks):
        count, width, shade = int(draws.power(1, 16)), draws.power(0.6, 3), _shade(draws)
        steps.append(functools.partial(print_wear.add_cracks, count=count, width=width, shade=shade, seed=draws.seed()))
    if draws.chance(chances.folds):
        count, width = int(draws.uniform(1, 3)), draws.power(0.7, 3)
        steps.append(functools.partial(print_wear.add_folds, count=count, width=width, seed=draws.seed()))
    if draws.chance(chances.dust):
        count, size, shade = int(draws.power(4, 60)), draws.power(0.7, 3), _shade(draws)
        steps.append(functools.partial(print_wear.add_dust, count=count, size=size, shade=shade, seed=draws.seed()))
    return steps


def _shade(draws: _Draws) -> float:
    return draws.uniform(0.7, 1) if draws.chance(0.65) else draws.uniform(0, 0.25)


def _capture(draws: _Draws, degradation: PhotoDegradation, rng: np.random.Generator) -> Sequence[Step]:
    steps: list[Step] = []
    chances = degradation.probabilities
    if draws.chance(chances.motion):
        length, angle = draws.power(1.5, 16), draws.uniform(0, math.pi)
        steps.append(functools.partial(photo_processing.motion_blur, length=length, angle=angle))
    if draws.chance(chances.denoise):
        steps.append(functools.partial(add_gaussian_noise, sigma=draws.power(2, 20), seed=draws.seed()))
        sigma, radius = draws.uniform(15, 60), draws.uniform(1, 4)
        steps.append(functools.partial(photo_processing.phone_denoise, sigma=sigma, radius=radius))
    if draws.chance(chances.eq8):
        severity = draws.uniform(0, 1) ** degradation.severity_power
        params = draw_params(_eased(degradation.ranges, severity), rng)
        steps.append(functools.partial(_eq8, params=params, kernel=draws.one_of(UPSCALING)))
    if draws.chance(chances.sharpen):
        amount, radius = draws.power(0.3, 3), draws.uniform(0.6, 3)
        steps.append(functools.partial(photo_processing.sharpen, amount=amount, radius=radius))
    if draws.chance(chances.jpeg_again):
        steps.append(functools.partial(compress_jpeg, quality=round(draws.uniform(*degradation.ranges.jpeg_range))))
    return steps


def _eased(ranges: DegradationRanges, severity: float) -> DegradationRanges:
    """The ranges' mild parts: all of them at severity 1."""
    ends = {
        name: (low, low + (high - low) * severity)
        for name in ('blur_sigma', 'downsample_range', 'noise_range')
        for low, high in (getattr(ranges, name),)
    }
    worst, best = ranges.jpeg_range
    return ranges.model_copy(update={'jpeg_range': (best - (best - worst) * severity, best), **ends})


def _eq8(image: np.ndarray, *, params: DegradationParams, kernel: str) -> np.ndarray:
    """Eq. 8 with another kernel of the upscaling than bilinear."""
    height, width = image.shape[:2]
    size = shrunk_size(width, params.downsample), shrunk_size(height, params.downsample)
    small = blur_and_downsample(image, gaussian_kernel(params), size)
    small = add_gaussian_noise(small, sigma=params.noise_sigma, seed=params.noise_seed)
    small = compress_jpeg(small, quality=params.jpeg_quality)
    if (width, height) == size:
        return small
    return photo_processing.resize(small, (width, height), kernel=kernel)
