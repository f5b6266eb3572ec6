"""Stage 1: the autoencoder and codebook of one domain (Sec. 3.1)."""

from typing import cast

from basicsr.utils.registry import MODEL_REGISTRY
from torch import Tensor

from daefr_arch.archs.codebook_arch import DAEFRCodebook
from daefr_arch.errors import InputError
from daefr_arch.models.autoencoder_path import AutoencoderLosses, AutoencoderPath
from daefr_arch.models.base import DAEFRBaseModel
from daefr_arch.models.codebook_updates import CodebookUpdates

DOMAINS = ('hq', 'lq')


@MODEL_REGISTRY.register()
class DAEFRCodebookModel(DAEFRBaseModel):
    """Trains network_g (DAEFRCodebook), with train.gan_opt against network_d, by Eq. 3 on one domain's images.

    Options: train.domain, 'hq' (the images are the samples' gt) or 'lq' (their lq); train.codebook_opt, the arguments
    of CodebookUpdates; pixel_opt, perceptual_opt, identity_opt, code_opt, gan_opt under train, the losses;
    path.pretrain_network_g and _d, a stage-1 checkpoint or an official one of stage 1 or 2.
    """

    train_keys = (
        *('domain', 'codebook_opt', 'pixel_opt', 'perceptual_opt', 'identity_opt', 'code_opt', 'gan_opt'),
        *('optim_g', 'optim_d'),
    )
    path_keys = ('pretrain_network_g', 'pretrain_network_d')

    def init_networks(self) -> None:
        self.domain: str = self.train_opt.get('domain', 'hq')
        if self.domain not in DOMAINS:
            raise InputError(f'train.domain: expected one of {DOMAINS}, got {self.domain!r}')
        net = cast(DAEFRCodebook, self.build('g', f'{self.domain}_codebook'))
        self.net_d = None
        if self.is_train:
            self.updates = CodebookUpdates(net.codebook, **(self.train_opt.get('codebook_opt') or {}))
            if self.train_opt.get('gan_opt'):
                self.net_d = self.prepare('d', self.build('d', f'{self.domain}_discriminator'), ema=False)
        self.net_g = self.prepare('g', net)

    def init_training(self) -> None:
        self.nets['codebook_updates'] = self.updates.to(self.device)  # saved and resumed with the networks
        losses = AutoencoderLosses(self.train_opt).to(self.device)
        self.path = AutoencoderPath(self.net_g, self.net_d, losses, self.updates)
        self.optimizer_g = self.add_optimizer('g', self.net_g)
        if self.net_d is not None:
            self.optimizer_d = self.add_optimizer('d', self.net_d)

    @property
    def image(self) -> Tensor:
        """The domain's images of the batch."""
        if self.domain == 'lq':
            return self.lq
        if self.gt is None:
            raise InputError("train.domain 'hq' needs a dataset with gt images")
        return self.gt

    def training_step(self, current_iter: int) -> dict[str, Tensor]:
        with self.autocast():
            self.path.forward(self.image)
            loss, log = self.path.autoencoder_loss(current_iter, self.scaler.get_scale())
        self.optimise(self.optimizer_g, loss)
        log.update(self.path.finish_step())
        if self.path.adversarial_active(current_iter):
            with self.autocast():
                loss, discriminator_log = self.path.discriminator_loss()
            self.optimise(self.optimizer_d, loss)
            log.update(discriminator_log)
        return log

    def restore(self) -> Tensor:
        return self.inference_net('g')(self.image).reconstruction
