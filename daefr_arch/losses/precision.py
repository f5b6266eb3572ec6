"""Precision of the losses."""

import torch
from torch import Tensor


def at_least_float32(x: Tensor) -> Tensor:
    """Half precision -> float32; float32 and float64 stay. Losses on small differences are too coarse below it."""
    return x.to(torch.promote_types(x.dtype, torch.float32))
