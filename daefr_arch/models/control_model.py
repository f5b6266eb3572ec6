"""The stage after stage 3: the control module of the LQ feature (appendix C, Fig. 10)."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from basicsr.archs import build_network
from basicsr.utils.registry import MODEL_REGISTRY
from pydantic import model_validator
from torch import Tensor

from daefr_arch.archs.daefr_arch import DAEFR
from daefr_arch.checkpoints import load_lq_codebook, lq_origin
from daefr_arch.errors import WeightsError
from daefr_arch.models.base import DAEFRBaseModel
from daefr_arch.models.frozen import freeze
from daefr_arch.models.image_losses import ImageLosses, ImageLossOptions
from daefr_arch.models.starting_points import Start
from daefr_arch.options.kinds import Share
from daefr_arch.options.registered import Network
from daefr_arch.options.run_file import Optimiser, OptionFile, PathOptions, StartsFrom, ValOptions
from daefr_arch.options.section import OptionError


class ControlOptions(ImageLossOptions):
    """`train` of the control module; one of the losses on images is needed."""

    s_lq: Share = 1.0
    """scale of the LQ feature in training"""
    optim_g: Optimiser
    """of the control module"""

    needs_image_loss: ClassVar[bool] = True


class ControlValOptions(ValOptions):
    """`val` of the control module."""

    s_lq: Share = 1.0
    """scale of the LQ feature in validation"""


class ControlFile(OptionFile):
    """The option file of the control module."""

    network_g: Network
    """the whole network, with lq_control: true"""
    path: Annotated[
        PathOptions,
        StartsFrom(
            {
                'g': 'the stage-3 checkpoint, whose own control module, if it has one, begins anew; in a test with it',
                'lq': 'whose LQ codebook is used: an LQ autoencoder (stage 2), an official file, or none where the '
                'stage-3 checkpoint has that codebook',
            },
            needed=('g',),
            parts=('lq',),
        ),
    ]
    train: ControlOptions
    val: ControlValOptions | None = None

    @model_validator(mode='after')
    def _has_module(self) -> 'ControlFile':
        if not self.network_g.get('lq_control'):
            raise OptionError(('network_g', 'lq_control'), ': expected true, there is no control module to train')
        return self


@MODEL_REGISTRY.register()
class DAEFRControlModel(DAEFRBaseModel):
    """Trains `lq_control` of network_g (DAEFR with lq_control: true) on images; everything else is frozen."""

    Options = ControlFile
    options: ControlFile
    stage = 'control'
    starts: ClassVar = {
        'g': Start(('restoration', 'control')),
        'lq': Start(('association', 'codebook', 'restoration', 'control'), 'lq'),
    }

    @classmethod
    def check_starting_points(cls, path: Mapping[str, Any]) -> None:
        super().check_starting_points(path)
        files = [path.get(f'pretrain_network_{label}') for label in ('g', 'lq')]
        if not all(files):
            return
        keys = [path.get(f'param_key_{label}') for label in ('g', 'lq')]
        begun, given = (lq_origin(str(file), param_key=key) for file, key in zip(files, keys, strict=True))
        if begun and given and begun != given:
            raise WeightsError(
                f'path.pretrain_network_lq: expected the LQ codebook that the encoder of {files[0]} was trained with, '
                f'{files[1]} holds another'
            )

    def init_networks(self) -> None:
        if not self.is_train:
            self.net_g = self.prepare('g', self.build('g', 'daefr'))
            return
        net = build_network(self.opt['network_g'])
        if not self.resuming('g'):
            self._start(net)
        freeze(net)
        net.lq_control.requires_grad_(True)
        self.net_g = self.prepare('g', net)

    def _start(self, net: DAEFR) -> None:
        """Fills all but the control module from the checkpoints."""
        plain = build_network({**self.opt['network_g'], 'lq_control': False})
        self.load_start(plain, 'g', 'daefr', leave_out=('lq_codebook.', 'lq_control.'))
        net.load_state_dict(plain.state_dict(), strict=False)  # `plain` was loaded already: only lq_* is left
        label = 'lq' if self.start_file('lq') else 'g'
        path = self.opt['path']
        file, key = path[f'pretrain_network_{label}'], path.get(f'param_key_{label}')
        load_lq_codebook(net.get_submodule('lq_codebook'), file, param_key=key)
        origin = lq_origin(file, param_key=key)
        self.started_from |= {'lq': origin} if origin else {}

    def init_training(self) -> None:
        self.image_losses = ImageLosses(self.options.train).to(self.device)
        self.optimizer_g = self.add_optimizer('g', self.net_g)

    def training_step(self, current_iter: int) -> dict[str, Tensor]:
        with self.autocast():
            restored = self.net_g(self.lq, s_lq=self.options.train.s_lq)[0]
            log = self.image_losses(restored, self.gt)
        self.optimise(self.optimizer_g, sum(log.values(), start=restored.new_zeros(())))
        return log

    def restore(self) -> Tensor:
        return self.inference_net('g')(self.lq, s_lq=self.options.val.s_lq if self.options.val else 1.0)[0]
