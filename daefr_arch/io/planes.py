"""Pictures as arrays for a network, and back; `tensors` does the same where PyTorch computes."""

from collections.abc import Sequence

import numpy as np


def to_planes(images: Sequence[np.ndarray]) -> np.ndarray:
    """Pictures of one size (H, W, 3) BGR of range [0, 255] -> (B, 3, H, W) float32, RGB in [-1, 1]."""
    planes = np.stack(images)[..., ::-1].transpose(0, 3, 1, 2).astype(np.float32, order='C')
    planes /= np.float32(127.5)
    planes -= np.float32(1)
    return planes


def to_pictures(planes: np.ndarray) -> list[np.ndarray]:
    """(B, 3, H, W) float32, RGB in [-1, 1], clamped to it -> as many pictures (H, W, 3) BGR uint8, rounded."""
    levels = np.rint((planes.clip(-1, 1) + np.float32(1)) * np.float32(127.5))
    pictures = np.nan_to_num(levels).astype(np.uint8).transpose(0, 2, 3, 1)[..., ::-1]
    return [np.ascontiguousarray(picture) for picture in pictures]
