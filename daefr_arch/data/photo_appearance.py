"""How a photo shows a sound face: grey, toned, dark or faded. The true face is shown so too: a restorer keeps it.

Images are (H, W, 3) float32, range [0, 1], BGR; every function returns a new one.
"""

from collections.abc import Sequence

import cv2
import numpy as np


def to_grey(image: np.ndarray) -> np.ndarray:
    """Luma (BT.601) in all channels."""
    return np.repeat(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)[..., None], 3, axis=2)


def tone(image: np.ndarray, *, shadow: Sequence[float], light: Sequence[float]) -> np.ndarray:
    """A toned print: luma from `shadow` to `light`, both BGR in [0, 1]."""
    low, high = (np.asarray(colour, np.float32) for colour in (shadow, light))
    return low + cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)[..., None] * (high - low)


def expose(image: np.ndarray, *, gain: float, gamma: float) -> np.ndarray:
    """gain * image ** gamma, clipped to [0, 1]; a gain below or a gamma above 1 darkens."""
    return np.clip(np.float32(gain) * image ** np.float32(gamma), 0, 1)


def fade(image: np.ndarray, *, black: Sequence[float], white: Sequence[float]) -> np.ndarray:
    """Dyes that have faded: each channel runs from its `black` to its `white` only, both BGR in [0, 1]."""
    low, high = (np.asarray(colour, np.float32) for colour in (black, white))
    return low + image * (high - low)
