"""From predicted error ratios to weights: which part of each band is taken from the photo."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from daefr_arch.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor

Map = TypeVar('Map', np.ndarray, 'Tensor')

MIDPOINT = 0.35  # error energy over face energy at which photo and network have equal weights
# of that, by band of luma from fine to coarse: the finest is lower, a photo a little soft would else stay so; the next
# ones, which tell who somebody is, are higher: a network's face of a stranger is further off than the photo
LUMA_MIDPOINTS = (0.5, 1.4, 1.75, 2.2, 1.5, 1.0)
# of the weights over the log of that ratio, where the photo is nearer to the face than the midpoint and where it is
# further off: evidence is kept as it is, of two guesses the mean is nearer to the face than either
STEEPNESS = (3.0, 1.2)
LARGEST_EXPONENT = 80.0  # of e, that float32 holds
HIGHEST_MIDPOINT = 1.5  # at fidelity 1: whatever is nearer to the face than nothing at all


def midpoint(fidelity: float | None) -> float:
    """The error ratio of equal weights: 0 at fidelity 0, MIDPOINT at 0.5 and None (auto), HIGHEST_MIDPOINT at 1.

    Raises:
        InputError: a fidelity outside [0, 1].
    """
    if fidelity is None:
        return MIDPOINT
    if not 0 <= fidelity <= 1:
        raise InputError(f'fidelity: expected a number in [0, 1] or None for auto, got {fidelity}')
    if fidelity <= 0.5:
        return MIDPOINT * (2 * fidelity) ** 2
    return MIDPOINT * (HIGHEST_MIDPOINT / MIDPOINT) ** (2 * fidelity - 1)


def weights(log_ratios: Sequence[Map], fidelity: float | None = None) -> list[Map]:
    """Maps of DAEFREvidence, (B, 2, h, w) or (2, h, w) -> the weights in [0, 1] of the photo, of the same shapes.

    w = 1 / (1 + (ratio / midpoint) ** s), s of STEEPNESS; for luma the midpoint is multiplied by LUMA_MIDPOINTS, up to
    HIGHEST_MIDPOINT. Arrays and tensors alike: what training computes with is what photos are restored with.
    """
    middle = midpoint(fidelity)
    if middle == 0:
        return [log_ratio.clip(0, 0) for log_ratio in log_ratios]
    return [_share(*band, middle) for band in zip(log_ratios, LUMA_MIDPOINTS, strict=True)]


def _share(log_ratio: Map, luma_factor: float, middle: float) -> Map:
    luma_middle = min(middle * luma_factor, HIGHEST_MIDPOINT)
    distance = log_ratio - math.log(middle)
    distance[..., 0, :, :] -= math.log(luma_middle / middle)
    nearer, further = STEEPNESS
    exponent = nearer * distance.clip(None, 0) + further * distance.clip(0, None)
    return 1 / (1 + math.e ** exponent.clip(-LARGEST_EXPONENT, LARGEST_EXPONENT))
