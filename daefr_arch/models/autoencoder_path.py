"""An autoencoder in training with its discriminator: stage 1 has one, stage 2 has two (Eq. 3)."""

from typing import Annotated, Any

import torch
from basicsr.losses import build_loss
from torch import Tensor, nn
from torch.nn.grad import conv2d_weight
from torch.nn.parallel import DistributedDataParallel

from daefr_arch.archs.codebook_arch import CodebookOutput, DAEFRCodebook
from daefr_arch.losses.precision import at_least_float32
from daefr_arch.models.adversary import AdversarialOptions, discriminator_loss, generator_loss
from daefr_arch.models.codebook_updates import CodebookUpdates, code_counts, codebook_statistics
from daefr_arch.models.image_losses import ImageLosses
from daefr_arch.options.registered import Arguments, Loss
from daefr_arch.options.run_file import Optimiser


def _without_wrapper(net: nn.Module) -> Any:
    return net.module if isinstance(net, DistributedDataParallel) else net


class AutoencoderOptions(AdversarialOptions):
    """`train` of the stages that train autoencoders."""

    pixel_opt: Loss
    """L1 distance of image and reconstruction"""
    code_opt: Loss
    """what binds features and codes"""
    codebook_opt: Annotated[dict[str, Any], Arguments(CodebookUpdates, given=('codebook',))] | None = None
    """updates of the codebook beyond the gradient"""
    optim_g: Optimiser
    """of the autoencoder"""


class AutoencoderLosses(nn.Module):
    """The losses of an autoencoder path: `image` (ImageLosses), `code`, and `adversarial`, None without gan_opt."""

    def __init__(self, options: AutoencoderOptions) -> None:
        super().__init__()
        self.image = ImageLosses(options)
        self.code = build_loss(options.code_opt)
        self.adversarial: Any = build_loss(options.gan_opt) if options.gan_opt else None


class AutoencoderPath:
    """One forward pass a step: `forward`, then `autoencoder_loss`, then `discriminator_losses`, then `finish_step`.

    Args:
        net: the autoencoder, wrapped for distributed training or not.
        discriminator: its discriminator, likewise; None without gan_opt.
        losses: shared by the paths of a model.
        updates: of its codebook.
        prefix: of the names in the log, as 'hq_'.
    """

    def __init__(
        self,
        net: nn.Module,
        discriminator: Any,
        losses: AutoencoderLosses,
        updates: CodebookUpdates,
        prefix: str = '',
    ) -> None:
        self.net = net
        self.bare_net: DAEFRCodebook = _without_wrapper(net)
        self.discriminator = discriminator
        self.losses = losses
        self.updates = updates
        self.prefix = prefix
        self.image: Tensor
        self.output: CodebookOutput

    def forward(self, image: Tensor) -> CodebookOutput:
        """Images (B, 3, R, R) in [-1, 1], RGB -> what the autoencoder makes of them, kept for the other steps."""
        if self.updates.must_start:
            with torch.no_grad():
                self.updates.start(self.bare_net.encode(image))
        self.image, self.output = image, self.net(image)
        return self.output

    def adversarial_active(self, iteration: int) -> bool:
        """Whether the discriminator takes part in this iteration, counted from 1."""
        adversarial = self.losses.adversarial
        return adversarial is not None and adversarial.active(iteration)

    def autoencoder_loss(self, iteration: int, scale: float = 1.0) -> tuple[Tensor, dict[str, Tensor]]:
        """A scalar whose gradient is that of the autoencoder's total loss (not its value), and the scalars for the log.

        scale: as of `generator_loss`.
        """
        active = self.adversarial_active(iteration)
        loss, log = generator_loss(
            self.output.reconstruction,
            self.image,
            self.losses.image,
            adversarial=self.losses.adversarial if active else None,
            discriminator=_without_wrapper(self.discriminator),
            scale=scale,
            compared=self._last_layer_gradient,
        )
        log['l_code'] = self.losses.code(self.output.feature, self.output.codes)
        return loss + log['l_code'], self._named(log)

    def _last_layer_gradient(self, gradient: Tensor) -> Tensor:
        """Of the weight of the decoder's last convolution, from the gradient at the reconstruction; float32."""
        layer, feature = self.bare_net.decoder.conv_out, self.output.last_feature
        assert feature is not None
        gradient = gradient.to(feature.dtype)
        return at_least_float32(conv2d_weight(feature, layer.weight.shape, gradient, padding=layer.padding))

    def discriminator_loss(self) -> tuple[Tensor, dict[str, Tensor]]:
        """The discriminator's loss on the images and their reconstructions, and the scalars for the log."""
        loss, log = discriminator_loss(
            self.discriminator, self.losses.adversarial, self.image, self.output.reconstruction
        )
        return loss, self._named(log)

    def finish_step(self) -> dict[str, Tensor]:
        """After the optimiser's step: updates the codebook, where asked for; returns its statistics for the log."""
        self.updates.update(self.output.feature, self.output.indices)
        counts = code_counts(self.output.indices, self.bare_net.codebook.embedding.num_embeddings)
        statistics = codebook_statistics(counts)
        return self._named({'codebook_use': statistics.use, 'perplexity': statistics.perplexity})

    def _named(self, log: dict[str, Tensor]) -> dict[str, Tensor]:
        return {self.prefix + name: value.detach() for name, value in log.items()}
