"""The loss of texture: fine detail as strong as the truth's, wherever it lies exactly."""

import torch
from basicsr.utils.registry import LOSS_REGISTRY
from torch import Tensor, nn
from torch.nn import functional as F

from daefr_arch.archs.bands import local_energy, split, to_ycc
from daefr_arch.losses.precision import at_least_float32


@LOSS_REGISTRY.register()
class DAEFRTextureLoss(nn.Module):
    """Mean absolute difference of the log local energies of luma in the finest bands.

    forward(x, target), both (B, 3, H, W), sides multiples of 32, RGB in [-1, 1] -> scalar. Losses on pixels alone
    favour the mean of all textures that could be there, which has none.

    Args:
        loss_weight: factor of the loss.
        bands: how many of the finest bands are compared.
        floor: energy below which texture does not count.
    """

    def __init__(self, loss_weight: float = 1.0, bands: int = 3, floor: float = 1e-4) -> None:
        super().__init__()
        self.loss_weight = loss_weight
        self.bands = bands
        self.floor = floor

    def forward(self, x: Tensor, target: Tensor) -> Tensor:
        logs = [
            [(energy[:, :1] + self.floor).log() for energy in local_energy(split(to_ycc(image))[: self.bands])]
            for image in (at_least_float32(x), at_least_float32(target.detach()))
        ]
        return self.loss_weight * torch.stack([F.l1_loss(*pair) for pair in zip(*logs, strict=True)]).mean()
