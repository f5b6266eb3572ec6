"""Stage 1: the autoencoder and codebook of one domain (Sec. 3.1)."""

from typing import Annotated, ClassVar, Literal, cast

from basicsr.utils.registry import MODEL_REGISTRY
from torch import Tensor

from daefr_arch.archs.codebook_arch import DAEFRCodebook
from daefr_arch.checkpoints import Domain
from daefr_arch.errors import InputError
from daefr_arch.models.adversary import AdversarialFile
from daefr_arch.models.autoencoder_path import AutoencoderLosses, AutoencoderOptions, AutoencoderPath
from daefr_arch.models.base import DAEFRBaseModel
from daefr_arch.models.codebook_updates import CodebookUpdates
from daefr_arch.models.starting_points import Start
from daefr_arch.options.registered import Network
from daefr_arch.options.run_file import PathOptions, StartsFrom


class CodebookOptions(AutoencoderOptions):
    """`train` of stage 1."""

    domain: Literal['hq', 'lq'] = 'hq'
    """train on the gt (hq) or on the lq images of the samples"""


class CodebookFile(AdversarialFile):
    """The option file of stage 1."""

    network_g: Network
    """the autoencoder"""
    path: Annotated[
        PathOptions,
        StartsFrom({'g': 'a stage-1 checkpoint, ours or official', 'd': 'the discriminator of one'}),
    ]
    train: CodebookOptions


@MODEL_REGISTRY.register()
class DAEFRCodebookModel(DAEFRBaseModel):
    """Trains network_g (DAEFRCodebook), with train.gan_opt against network_d, by Eq. 3 on one domain's images."""

    Options = CodebookFile
    options: CodebookFile
    stage = 'codebook'
    starts: ClassVar = {label: Start(('codebook', 'association')) for label in 'gd'}  # an LQ path may begin with HQ

    def init_networks(self) -> None:
        train = self.options.train
        net = cast(DAEFRCodebook, self.build('g', f'{train.domain}_codebook'))
        self.net_d = None
        if self.is_train:
            self.updates = CodebookUpdates(net.codebook, **(train.codebook_opt or {}))
            if train.gan_opt:
                self.net_d = self.prepare('d', self.build('d', f'{train.domain}_discriminator'), ema=False)
        self.net_g = self.prepare('g', net)

    def init_training(self) -> None:
        self.nets['codebook_updates'] = self.updates.to(self.device)  # saved and resumed with the networks
        losses = AutoencoderLosses(self.options.train).to(self.device)
        self.path = AutoencoderPath(self.net_g, self.net_d, losses, self.updates)
        self.optimizer_g = self.add_optimizer('g', self.net_g)
        if self.net_d is not None:
            self.optimizer_d = self.add_optimizer('d', self.net_d)

    def domain_of(self, label: str) -> Domain:
        return self.options.train.domain

    @property
    def image(self) -> Tensor:
        """The domain's images of the batch."""
        if self.options.train.domain == 'lq':
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
