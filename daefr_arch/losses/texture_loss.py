"""The loss of texture: fine detail as strong as the truth's, wherever it lies exactly."""

from collections.abc import Sequence

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
        gains: for each band that is compared, from the finest on, the energy aimed at as part of the target's. Above 1
            where what is trained falls short of faces that are sharper than those of the training.
        floor: energy below which texture does not count.
    """

    def __init__(self, loss_weight: float = 1.0, gains: Sequence[float] = (1.0, 1.0, 1.0), floor: float = 1e-4) -> None:
        super().__init__()
        self.loss_weight = loss_weight
        self.gains = tuple(gains)
        self.floor = floor

    def forward(self, x: Tensor, target: Tensor) -> Tensor:
        result, truth = (
            [energy[:, :1] for energy in local_energy(split(to_ycc(image))[: len(self.gains)])]
            for image in (at_least_float32(x), at_least_float32(target.detach()))
        )
        differences = [
            F.l1_loss((ours + self.floor).log(), (theirs * gain + self.floor).log())
            for ours, theirs, gain in zip(result, truth, self.gains, strict=True)
        ]
        return self.loss_weight * torch.stack(differences).mean()
