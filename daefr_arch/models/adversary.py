"""What the stages that train against a discriminator share."""

from collections.abc import Callable
from typing import Any

import torch
from pydantic import model_validator
from torch import Tensor, nn

from daefr_arch.losses.precision import at_least_float32
from daefr_arch.models.image_losses import ImageLosses, ImageLossOptions
from daefr_arch.options.registered import Loss, Network
from daefr_arch.options.run_file import Optimiser, OptionFile
from daefr_arch.options.section import OptionError


class AdversarialOptions(ImageLossOptions):
    """`train` of a stage that can train against a discriminator."""

    gan_opt: Loss | None = None
    """adversarial loss; ~: no discriminator"""
    optim_d: Optimiser | None = None
    """of the discriminator, with gan_opt"""

    @model_validator(mode='after')
    def _discriminator_has_optimiser(self) -> 'AdversarialOptions':
        if self.gan_opt and not self.optim_d:
            raise OptionError(('optim_d',), ' is missing: gan_opt trains a discriminator')
        return self


class AdversarialFile(OptionFile):
    """The option file of a stage that can train against one discriminator."""

    network_d: Network | None = None
    """the discriminator, with train.gan_opt"""
    train: AdversarialOptions

    @model_validator(mode='after')
    def _has_discriminator(self) -> 'AdversarialFile':
        if self.train.gan_opt and not self.network_d:
            raise OptionError(('network_d',), ' is missing: train.gan_opt trains a discriminator')
        return self


def generator_loss(
    result: Tensor,
    target: Tensor,
    losses: ImageLosses,
    *,
    adversarial: Any = None,
    discriminator: nn.Module | None = None,
    scale: float = 1.0,
    compared: Callable[[Tensor], Tensor] = lambda gradient: gradient,
) -> tuple[Tensor, dict[str, Tensor]]:
    """A scalar whose gradient is that of a generator's losses on images (not its value), and scalars for the log.

    Each loss goes backward here, once, to the image: the adaptive weight needs their gradients apart, and the generator
    itself then goes backward once for all of them.

    Args:
        result: of the generator, (B, 3, R, R) in [-1, 1], RGB.
        target: what it should be, likewise.
        losses: on images.
        adversarial: a DAEFRAdversarialLoss that takes part in this iteration, or None.
        discriminator: its discriminator, without a wrapper for distributed training.
        scale: the gradient scaler's, by which half-precision gradients are kept from vanishing.
        compared: from the gradient at the result to that by which the adaptive weight compares the losses.
    """
    result = at_least_float32(result)
    image = result.detach().requires_grad_()
    log = losses(image, target)
    loss = sum(log.values(), start=image.new_zeros(()))
    (gradient,) = torch.autograd.grad(loss * scale, image)
    if adversarial is not None and discriminator is not None:
        discriminator.requires_grad_(False)
        loss = adversarial.generator(discriminator(image))
        (adversarial_gradient,) = torch.autograd.grad(loss * scale, image)
        discriminator.requires_grad_(True)
        weight = adversarial.weight(*(compared(each) / scale for each in (gradient, adversarial_gradient)))
        log |= {'gan_weight': weight, 'l_g_gan': weight * loss}
        gradient = gradient + weight * adversarial_gradient
    return (result * gradient).sum() / scale, log


def discriminator_loss(
    discriminator: nn.Module, adversarial: Any, real: Tensor, fake: Tensor
) -> tuple[Tensor, dict[str, Tensor]]:
    """The discriminator's loss on true images and on a generator's, which gets no gradient, and scalars for the log.

    adversarial: a DAEFRAdversarialLoss; real, fake: (B, 3, R, R) in [-1, 1], RGB.
    """
    of_real, of_fake = discriminator(real), discriminator(fake.detach())
    loss = adversarial.discriminator(of_real, of_fake)
    return loss, {'l_d': loss, 'out_d_real': of_real.detach().mean(), 'out_d_fake': of_fake.detach().mean()}
