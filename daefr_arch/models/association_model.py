"""Stage 2: both autoencoders jointly, with their features associated (Sec. 3.2)."""

from typing import Annotated, ClassVar, cast, get_args

from basicsr.losses import build_loss
from basicsr.utils.registry import MODEL_REGISTRY
from pydantic import model_validator
from torch import Tensor, nn

from daefr_arch.archs.codebook_arch import DAEFRCodebook
from daefr_arch.checkpoints import Domain
from daefr_arch.errors import InputError
from daefr_arch.models.autoencoder_path import AutoencoderLosses, AutoencoderOptions, AutoencoderPath
from daefr_arch.models.base import DAEFRBaseModel
from daefr_arch.models.codebook_updates import CodebookUpdates
from daefr_arch.models.frozen import freeze
from daefr_arch.models.starting_points import Start
from daefr_arch.options.registered import Loss, Network
from daefr_arch.options.run_file import OptionFile, PathOptions, StartsFrom
from daefr_arch.options.section import OptionError


class AssociationOptions(AutoencoderOptions):
    """`train` of stage 2."""

    association_opt: Loss
    """what associates the features of both encoders"""
    freeze_hq: bool = False
    """true: Fig. 7 (a), only the LQ path learns"""


class AssociationFile(OptionFile):
    """The option file of stage 2."""

    network_hq: Network
    """the HQ autoencoder"""
    network_lq: Network
    """the LQ autoencoder"""
    network_d_hq: Network | None = None
    """discriminator of the HQ path, with train.gan_opt"""
    network_d_lq: Network | None = None
    """discriminator of the LQ path, with train.gan_opt"""
    path: Annotated[
        PathOptions,
        StartsFrom(
            {
                'hq': 'the HQ autoencoder of stage 1, ours or official',
                'lq': 'the LQ autoencoder of stage 1, ours or official',
                'd_hq': 'the discriminator of the HQ stage 1',
                'd_lq': 'the discriminator of the LQ stage 1',
            }
        ),
    ]
    train: AssociationOptions

    @property
    def domains(self) -> tuple[str, ...]:
        """Those that are trained."""
        return ('lq',) if self.train.freeze_hq else ('hq', 'lq')

    @model_validator(mode='after')
    def _has_discriminators(self) -> 'AssociationFile':
        for domain in self.domains:
            if self.train.gan_opt and not getattr(self, f'network_d_{domain}'):
                raise OptionError((f'network_d_{domain}',), ' is missing: train.gan_opt trains a discriminator')
        return self


@MODEL_REGISTRY.register()
class DAEFRAssociationModel(DAEFRBaseModel):
    """Trains network_hq on the HQ images and network_lq on their degraded versions by Eq. 5, one forward each a step.

    With train.gan_opt each path has its discriminator, network_d_hq and network_d_lq.
    """

    Options = AssociationFile
    options: AssociationFile
    stage = 'association'
    starts: ClassVar = {
        label: Start(('codebook', 'association'), domain)
        for domain in get_args(Domain)
        for label in (domain, f'd_{domain}')
    }

    def init_networks(self) -> None:
        train = self.options.train
        autoencoders = {domain: self.build(domain, f'{domain}_codebook') for domain in ('hq', 'lq')}
        self.discriminators: dict[str, nn.Module] = {}
        self.updates: dict[str, CodebookUpdates] = {}
        if self.is_train:
            for domain in self.options.domains:
                codebook = cast(DAEFRCodebook, autoencoders[domain]).codebook
                self.updates[domain] = CodebookUpdates(codebook, **(train.codebook_opt or {}))
                if train.gan_opt:
                    discriminator = self.build(f'd_{domain}', f'{domain}_discriminator')
                    self.discriminators[domain] = self.prepare(f'd_{domain}', discriminator, ema=False)
            if train.freeze_hq:
                freeze(autoencoders['hq'])
        self.net_hq = self.prepare('hq', autoencoders['hq'], ema=not train.freeze_hq)
        self.net_lq = self.prepare('lq', autoencoders['lq'])

    def init_training(self) -> None:
        self.association: nn.Module = build_loss(self.options.train.association_opt).to(self.device)
        learned = [] if self.association.log_scale.requires_grad is False else [self.association]
        if learned:
            self.association = self.prepare('association', self.association, ema=False)
        losses = AutoencoderLosses(self.options.train).to(self.device)
        self.paths_by_domain: dict[str, AutoencoderPath] = {}
        for domain in self.options.domains:
            updates = self.updates[domain].to(self.device)
            self.nets[f'codebook_updates_{domain}'] = updates  # saved and resumed with the networks
            discriminator = self.discriminators.get(domain)
            net = self.net_hq if domain == 'hq' else self.net_lq
            self.paths_by_domain[domain] = AutoencoderPath(net, discriminator, losses, updates, prefix=f'{domain}_')
        self.optimizer_g = self.add_optimizer('g', self.net_hq, self.net_lq, *learned)
        if self.discriminators:
            self.optimizer_d = self.add_optimizer('d', *self.discriminators.values())

    def training_step(self, current_iter: int) -> dict[str, Tensor]:
        if self.gt is None:
            raise InputError('the association stage needs a dataset with pairs of gt and lq images')
        images = {'hq': self.gt, 'lq': self.lq}
        log: dict[str, Tensor] = {}
        with self.autocast():
            features = {domain: path.forward(images[domain]).feature for domain, path in self.paths_by_domain.items()}
            if self.options.train.freeze_hq:
                features['hq'] = self.get_bare_model(self.net_hq).encode(self.gt)
            log['l_assoc'] = total = self.association(features['hq'], features['lq'])
            for path in self.paths_by_domain.values():
                loss, path_log = path.autoencoder_loss(current_iter, self.scaler.get_scale())
                total = total + loss
                log.update(path_log)
        self.optimise(self.optimizer_g, total)
        for path in self.paths_by_domain.values():
            log.update(path.finish_step())
        log.update(self._discriminator_step(current_iter))
        return log

    def _discriminator_step(self, current_iter: int) -> dict[str, Tensor]:
        """One step of the discriminators, in one backward pass: no parameter is in both."""
        active = [path for path in self.paths_by_domain.values() if path.adversarial_active(current_iter)]
        if not active:
            return {}
        log: dict[str, Tensor] = {}
        losses = []
        with self.autocast():
            for path in active:
                loss, path_log = path.discriminator_loss()
                losses.append(loss)
                log.update(path_log)
        self.optimise(self.optimizer_d, sum(losses[1:], start=losses[0]))
        return log

    def restore(self) -> Tensor:
        """Reconstructions of the degraded images through the LQ path."""
        return self.inference_net('lq')(self.lq).reconstruction
