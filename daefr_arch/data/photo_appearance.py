"""What a photo shows of a sound face: grey, toned, dark or faded, beside patterned cloth. A restorer keeps all of it.

Images are (H, W, 3) float32, range [0, 1], BGR; every function returns a new one.
"""

import math
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


def add_cloth(
    image: np.ndarray, *, period: float, colours: Sequence[Sequence[float]], cover: float, seed: int
) -> np.ndarray:
    """Patterned cloth before a part of the image: what is as fine and as regular as noise and dots, and none.

    Args:
        image: see the module.
        period: of the pattern, in pixels.
        colours: the two of the pattern, BGR in [0, 1].
        cover: share of the image that is covered, about.
        seed: of the pattern, which is a weave of lines or a labyrinth, and of the shape of the cloth.
    """
    height, width = image.shape[:2]
    rng = np.random.default_rng(seed)
    if rng.random() < 0.6:  # the noise of one octave, hardened
        noise = rng.standard_normal((height, width), dtype=np.float32)
        fine, coarse = (cv2.GaussianBlur(noise, (0, 0), share * period) for share in (0.16, 0.26))
        waves = (fine - coarse) / (fine - coarse).std()
    else:
        angle, y, x = rng.random() * math.pi, *np.mgrid[:height, :width].astype(np.float32)
        turned = [
            np.cos((x * math.cos(a) + y * math.sin(a)) * 2 * math.pi / period) for a in (angle, angle + math.pi / 2)
        ]
        waves = turned[0] + turned[1] * (rng.random() < 0.6)
    pattern = 0.5 + 0.5 * np.tanh((0.5 + 2.5 * rng.random()) * waves)[..., None]
    low, high = (np.asarray(colour, np.float32) for colour in colours)
    shape, folds = (
        cv2.resize(rng.standard_normal((4, 4), dtype=np.float32), (width, height), interpolation=cv2.INTER_CUBIC)
        for _ in range(2)
    )
    mask = np.clip((shape - np.quantile(shape, 1 - cover)) * 20 + 0.5, 0, 1)[..., None]
    cloth = (low + pattern * (high - low)) * (0.8 + 0.3 * np.tanh(folds))[..., None]
    return np.clip(image + mask * (cloth - image), 0, 1).astype(np.float32)
