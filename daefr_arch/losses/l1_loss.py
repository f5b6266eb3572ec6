"""The L1 loss of the autoencoders (Eq. 2)."""

from basicsr.utils.registry import LOSS_REGISTRY
from pydantic import NonNegativeFloat
from torch import Tensor, nn
from torch.nn import functional as F

from daefr_arch.losses.precision import at_least_float32
from daefr_arch.losses.reduction import Reduction, check_reduction, divisor


@LOSS_REGISTRY.register()
class DAEFRL1Loss(nn.Module):
    """|I - I^rec|_1 of Eq. 2. forward(x, target), both (B, 3, H, W) in [-1, 1], RGB -> scalar.

    Args:
        loss_weight: factor of the loss.
        reduction: 'mean' over all values, as BasicSR's L1Loss, or 'sum' over each image (Eq. 2), the mean of
            the batch.

    Raises ValueError for an unknown reduction.
    """

    def __init__(self, loss_weight: NonNegativeFloat = 1.0, reduction: Reduction = 'mean') -> None:
        super().__init__()
        check_reduction(reduction)
        self.loss_weight = loss_weight
        self.reduction = reduction

    def forward(self, x: Tensor, target: Tensor) -> Tensor:
        loss = F.l1_loss(at_least_float32(x), at_least_float32(target), reduction=self.reduction)
        return self.loss_weight * loss / divisor(x, self.reduction)
