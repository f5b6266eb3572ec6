"""The adversarial loss (Eq. 2 and 3) with the adaptive weight of VQGAN (Esser et al., CVPR 2021)."""

import torch
from basicsr.losses.gan_loss import GANLoss
from basicsr.utils.registry import LOSS_REGISTRY
from torch import Tensor, nn

from daefr_arch.losses.precision import at_least_float32

MAX_ADAPTIVE_WEIGHT = 1e4


def adaptive_weight(reconstruction_loss: Tensor, adversarial_loss: Tensor, last_layer: Tensor) -> Tensor:
    """|grad of the reconstruction loss| / |grad of the adversarial loss| at the decoder's last convolution.

    Both losses are scalars whose graphs are kept; `last_layer` is the weight (3, C, k, k). Returns a float32 scalar in
    [0, 1e4] without gradient.
    """
    (reconstruction_grad,) = torch.autograd.grad(reconstruction_loss, last_layer, retain_graph=True)
    (adversarial_grad,) = torch.autograd.grad(adversarial_loss, last_layer, retain_graph=True)
    # float32: the norm of half-precision gradients overflows
    ratio = at_least_float32(reconstruction_grad).norm() / (at_least_float32(adversarial_grad).norm() + 1e-4)
    return ratio.clamp(0.0, MAX_ADAPTIVE_WEIGHT).detach()


@LOSS_REGISTRY.register()
class DAEFRAdversarialLoss(nn.Module):
    """Losses of the autoencoder and of the discriminator, from the discriminator's logits (B, 1, H', W').

    Args:
        loss_weight: weight of the autoencoder's part (lambda_adv).
        gan_type: 'hinge' (official) or 'vanilla' (Eq. 2); BasicSR's GANLoss computes them.
        adaptive: multiplies the autoencoder's part by `adaptive_weight` (official).
        start_iteration: first iteration, counted from 1, at which the discriminator and its loss take part
            (official: 30001 in stage 1, 11 in stage 2).
    """

    def __init__(
        self, loss_weight: float = 0.8, gan_type: str = 'hinge', adaptive: bool = False, start_iteration: int = 1
    ) -> None:
        super().__init__()
        self.criterion = GANLoss(gan_type)
        self.loss_weight = loss_weight
        self.adaptive = adaptive
        self.start_iteration = start_iteration

    def active(self, iteration: int) -> bool:
        """Whether the loss takes part in this iteration, counted from 1."""
        return iteration >= self.start_iteration

    def generator(self, fake_logits: Tensor, reconstruction_loss: Tensor, last_layer: Tensor) -> tuple[Tensor, Tensor]:
        """The autoencoder's weighted loss, and the weight that it got; both scalars.

        Args:
            fake_logits: of the reconstructions.
            reconstruction_loss: L1 and perceptual loss together, for the adaptive weight.
            last_layer: weight of the decoder's last convolution.
        """
        loss = self.criterion(at_least_float32(fake_logits), True, is_disc=False)
        weight = loss.new_tensor(self.loss_weight)
        if self.adaptive:
            weight = weight * adaptive_weight(reconstruction_loss, loss, last_layer)
        return weight * loss, weight

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """The discriminator's loss, the mean of its parts on real and on reconstructed images; a scalar."""
        real = self.criterion(at_least_float32(real_logits), True, is_disc=True)
        fake = self.criterion(at_least_float32(fake_logits), False, is_disc=True)
        return (real + fake) / 2
