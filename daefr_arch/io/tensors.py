"""Pictures as tensors for a network, and back."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor


def to_tensor(images: np.ndarray | Sequence[np.ndarray], device: str | torch.device = 'cpu') -> Tensor:
    """Pictures of one size (H, W, 3), or one, BGR, of range [0, 255] -> (B, 3, H, W) float32, RGB in [-1, 1]."""
    batch = np.stack([images] if isinstance(images, np.ndarray) else images)
    pixels = torch.from_numpy(batch).to(device)
    return pixels.permute(0, 3, 1, 2).flip(1).to(torch.float32).contiguous().div_(127.5).sub_(1)


def to_images(batch: Tensor) -> list[np.ndarray]:
    """(B, 3, H, W) RGB in [-1, 1], clamped to it -> as many pictures (H, W, 3) BGR uint8, rounded."""
    pixels = batch.clamp(-1, 1).add(1).mul(127.5).round().to(torch.uint8)
    return [np.ascontiguousarray(image) for image in pixels.flip(1).permute(0, 2, 3, 1).cpu().numpy()]
