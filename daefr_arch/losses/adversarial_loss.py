"""The adversarial loss (Eq. 2 and 3) with the adaptive weight of VQGAN (Esser et al., CVPR 2021)."""

from typing import Literal

from basicsr.losses.gan_loss import GANLoss
from basicsr.utils.registry import LOSS_REGISTRY
from pydantic import NonNegativeFloat, PositiveInt
from torch import Tensor, nn
from torch.nn import functional as F

from daefr_arch.losses.precision import at_least_float32

MAX_ADAPTIVE_WEIGHT = 1e4


def adaptive_weight(reconstruction_gradient: Tensor, adversarial_gradient: Tensor) -> Tensor:
    """|gradient of the reconstruction loss| / |gradient of the adversarial loss|: a float32 scalar in [0, 1e4].

    Both are gradients of the same thing: of the weight of a decoder's last convolution (official), or of the image.
    Where both have overflowed it is 0.
    """
    # float32: the norm of half-precision gradients overflows
    reconstruction_norm, adversarial_norm = (
        at_least_float32(gradient).norm() for gradient in (reconstruction_gradient, adversarial_gradient)
    )
    return (reconstruction_norm / (adversarial_norm + 1e-4)).nan_to_num(0.0).clamp(0.0, MAX_ADAPTIVE_WEIGHT)


def _log_of_not(logits: Tensor) -> Tensor:
    """log(1 - D), D = sigmoid(logits), the mean over the patches; a scalar. log D is that of -logits."""
    return F.logsigmoid(-at_least_float32(logits)).mean()


@LOSS_REGISTRY.register()
class DAEFRAdversarialLoss(nn.Module):
    """Losses of the autoencoder and of the discriminator, from the discriminator's logits (B, 1, H', W').

    Args:
        loss_weight: weight of the autoencoder's part (lambda_adv).
        gan_type: 'hinge' (official), 'log' (Eq. 2 to the letter: the autoencoder descends on log(1 - D), of which the
            discriminator climbs the whole), 'vanilla' (the same with the autoencoder on -log D, whose gradient does not
            vanish) or another one of BasicSR's GANLoss, which computes all but 'log'.
        adaptive: multiplies the autoencoder's part by `adaptive_weight` (official).
        start_iteration: first iteration, counted from 1, at which the discriminator and its loss take part
            (official: 30001 in stage 1, 11 in stage 2).
    """

    def __init__(
        self,
        loss_weight: NonNegativeFloat = 0.8,
        gan_type: Literal['hinge', 'log', 'vanilla', 'lsgan', 'wgan', 'wgan_softplus'] = 'hinge',
        adaptive: bool = False,
        start_iteration: PositiveInt = 1,
    ) -> None:
        super().__init__()
        self.criterion = None if gan_type == 'log' else GANLoss(gan_type)
        self.loss_weight = loss_weight
        self.adaptive = adaptive
        self.start_iteration = start_iteration

    def active(self, iteration: int) -> bool:
        """Whether the loss takes part in this iteration, counted from 1."""
        return iteration >= self.start_iteration

    def generator(self, fake_logits: Tensor) -> Tensor:
        """The autoencoder's loss, not weighted; a scalar. fake_logits: of the reconstructions."""
        if self.criterion is None:
            return _log_of_not(fake_logits)
        return self.criterion(at_least_float32(fake_logits), True, is_disc=False)

    def weight(self, reconstruction_gradient: Tensor, adversarial_gradient: Tensor) -> Tensor:
        """What to multiply the autoencoder's loss by; a scalar. The gradients are `adaptive_weight`'s."""
        if not self.adaptive:
            return adversarial_gradient.new_tensor(self.loss_weight)
        return self.loss_weight * adaptive_weight(reconstruction_gradient, adversarial_gradient)

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """The discriminator's loss, a scalar: the mean of its parts on real and reconstructed images, or -L_adv."""
        if self.criterion is None:
            return -(_log_of_not(-real_logits) + _log_of_not(fake_logits))
        real = self.criterion(at_least_float32(real_logits), True, is_disc=True)
        fake = self.criterion(at_least_float32(fake_logits), False, is_disc=True)
        return (real + fake) / 2
