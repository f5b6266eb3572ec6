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
        gain: the energy aimed at, as part of the target's. Above 1, where what is trained falls short of sharper faces
            than those of the training.
    """

    def __init__(self, loss_weight: float = 1.0, bands: int = 3, floor: float = 1e-4, gain: float = 1.0) -> None:
        super().__init__()
        self.loss_weight = loss_weight
        self.bands = bands
        self.floor = floor
        self.gain = gain

    def forward(self, x: Tensor, target: Tensor) -> Tensor:
        logs = [
            [(energy[:, :1] * gain + self.floor).log() for energy in local_energy(split(to_ycc(image))[: self.bands])]
            for image, gain in ((at_least_float32(x), 1.0), (at_least_float32(target.detach()), self.gain))
        ]
        return self.loss_weight * torch.stack([F.l1_loss(*pair) for pair in zip(*logs, strict=True)]).mean()
