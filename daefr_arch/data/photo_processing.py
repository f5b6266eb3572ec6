"""What cameras, phones and programs do to a photo: motion blur, denoising, sharpening, scaling.

Images are (H, W, 3) float32, range [0, 1], BGR; every function returns a new one. Lengths are in pixels.
"""

import math

import cv2
import numpy as np

KERNELS = {
    'linear': cv2.INTER_LINEAR,
    'cubic': cv2.INTER_CUBIC,
    'lanczos': cv2.INTER_LANCZOS4,
    'area': cv2.INTER_AREA,
    'nearest': cv2.INTER_NEAREST,
}


def motion_blur(image: np.ndarray, *, length: float, angle: float) -> np.ndarray:
    """The mean over a straight line of `length` at `angle` (radians)."""
    size = 2 * math.ceil(length / 2) + 1
    steps = np.linspace(-0.5, 0.5, 8 * size) * length
    centre = size // 2
    x, y = centre + steps * math.cos(angle), centre + steps * math.sin(angle)
    kernel = np.zeros((size + 1, size + 1))
    for dx in (0, 1):
        for dy in (0, 1):
            column, row = np.floor(x).astype(int) + dx, np.floor(y).astype(int) + dy
            np.add.at(kernel, (row, column), (1 - np.abs(x - column)) * (1 - np.abs(y - row)))
    return cv2.filter2D(image, -1, kernel[:size, :size] / kernel[:size, :size].sum())


def phone_denoise(image: np.ndarray, *, sigma: float, radius: float) -> np.ndarray:
    """Edge-preserving smoothing that leaves patches without texture: a bilateral filter, `sigma` of 255."""
    return cv2.bilateralFilter(image, -1, sigma / 255, radius)


def sharpen(image: np.ndarray, *, amount: float, radius: float) -> np.ndarray:
    """Unsharp masking; halos are clipped to [0, 1]."""
    return np.clip(image + np.float32(amount) * (image - cv2.GaussianBlur(image, (0, 0), radius)), 0, 1)


def resize(image: np.ndarray, size: tuple[int, int], *, kernel: str) -> np.ndarray:
    """To (width, height) by one of KERNELS, clipped to [0, 1] where the kernel overshoots."""
    return np.clip(cv2.resize(image, size, interpolation=KERNELS[kernel]), 0, 1)
