"""The loss of evidence: how far the predicted ratio of error to face is off."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from basicsr.utils.registry import LOSS_REGISTRY
from torch import Tensor, nn
from torch.nn import functional as F

from daefr_arch.archs.bands import log_error_ratio
from daefr_arch.losses.precision import at_least_float32

LOWEST, HIGHEST = -4.0, 2.0  # beyond these limits the ratio changes no weight


class EvidenceLosses(NamedTuple):
    """Scalars: the weighted loss, and how much of the targets' variance is explained."""

    loss: Tensor
    explained: Tensor


@LOSS_REGISTRY.register()
class DAEFREvidenceLoss(nn.Module):
    """Smooth L1 between predicted and true log error ratios, the mean over the maps.

    forward(maps, photo, truth): the network's maps, and the images (B, 3, H, W), RGB in [-1, 1] -> EvidenceLosses.

    Args:
        loss_weight: factor of the loss.
        beta: where the loss turns from square to linear, in units of the logarithm.
    """

    def __init__(self, loss_weight: float = 1.0, beta: float = 0.5) -> None:
        super().__init__()
        self.loss_weight = loss_weight
        self.beta = beta

    def forward(self, maps: Sequence[Tensor], photo: Tensor, truth: Tensor) -> EvidenceLosses:
        with torch.no_grad():
            targets = [
                target.clamp(LOWEST, HIGHEST)
                for target in log_error_ratio(at_least_float32(photo), at_least_float32(truth))
            ]
        pairs = [(at_least_float32(map_), target) for map_, target in zip(maps, targets, strict=True)]
        loss = torch.stack([F.smooth_l1_loss(map_, target, beta=self.beta) for map_, target in pairs]).mean()
        with torch.no_grad():
            left = [(map_ - target).square().mean((0, 2, 3)) for map_, target in pairs]
            whole = [target.var((0, 2, 3), correction=0) for target in targets]
            explained = 1 - torch.stack(left).sum() / torch.stack(whole).sum().clamp_min(1e-6)
        return EvidenceLosses(self.loss_weight * loss, explained)
