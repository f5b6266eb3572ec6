"""A loss in which a decibel counts the same wherever it is gained."""

from basicsr.utils.registry import LOSS_REGISTRY
from pydantic import NonNegativeFloat, PositiveFloat
from torch import Tensor, nn

from daefr_arch.losses.precision import at_least_float32


@LOSS_REGISTRY.register()
class DAEFRPSNRLoss(nn.Module):
    """Mean over the batch of log(mean squared error): -PSNR, but for factor and offset.

    With L1 and squared errors the worst images of a batch have nearly all of the gradient, and what a network could do
    for those that lack little is hardly learned. forward(x, target), both (B, 3, H, W) in [-1, 1], RGB -> scalar.

    Args:
        loss_weight: factor of the loss.
        floor: squared error, of images in [0, 1], below which less error is no gain.
    """

    def __init__(self, loss_weight: NonNegativeFloat = 1.0, floor: PositiveFloat = 1e-5) -> None:
        super().__init__()
        self.loss_weight = loss_weight
        self.floor = floor

    def forward(self, x: Tensor, target: Tensor) -> Tensor:
        error = (at_least_float32(x) - at_least_float32(target)).square().mean((1, 2, 3)) / 4
        return self.loss_weight * (error + self.floor).log().mean()
