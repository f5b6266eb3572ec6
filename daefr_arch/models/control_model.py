"""The stage after stage 3: the control module of the LQ feature (appendix C, Fig. 10)."""

from basicsr.archs import build_network
from basicsr.utils.registry import MODEL_REGISTRY
from torch import Tensor

from daefr_arch.archs.daefr_arch import DAEFR
from daefr_arch.checkpoints import load_lq_codebook, load_stage_network
from daefr_arch.errors import InputError
from daefr_arch.models.base import DAEFRBaseModel
from daefr_arch.models.frozen import freeze
from daefr_arch.models.image_losses import IMAGE_LOSSES, ImageLosses


@MODEL_REGISTRY.register()
class DAEFRControlModel(DAEFRBaseModel):
    """Trains `lq_control` of network_g (DAEFR with lq_control: true) on images; everything else is frozen.

    Options: pixel_opt, perceptual_opt, identity_opt under train, the losses; train.s_lq, the scale in training (1.0);
    path.pretrain_network_g, the stage-3 checkpoint, whose own control module, if it has one, begins anew; and
    path.pretrain_network_lq, whose LQ codebook is used: an LQ autoencoder (stage 2), an official file, or none where
    the stage-3 checkpoint has that codebook.
    """

    train_keys = (*IMAGE_LOSSES, 's_lq', 'optim_g')
    path_keys = ('pretrain_network_g', 'pretrain_network_lq')

    def init_networks(self) -> None:
        if not self.opt['network_g'].get('lq_control'):
            raise InputError('network_g.lq_control: expected true, there is no control module to train')
        if not self.is_train:
            self.net_g = self.prepare('g', self.build('g', 'daefr'))
            return
        net = build_network(self.opt['network_g'])
        if not self.resuming:
            self._start(net)
        freeze(net)
        net.lq_control.requires_grad_(True)
        self.net_g = self.prepare('g', net)

    def _start(self, net: DAEFR) -> None:
        """Fills all but the control module from the checkpoints."""
        path = self.opt['path'].get('pretrain_network_g')
        if not path:
            raise InputError('path.pretrain_network_g is missing: name the checkpoint of stage 3')
        plain = build_network({**self.opt['network_g'], 'lq_control': False})
        load_stage_network(plain, path, 'daefr', leave_out=('lq_codebook.', 'lq_control.'))
        net.load_state_dict(plain.state_dict(), strict=False)  # `plain` was loaded strictly: only lq_* is left
        load_lq_codebook(net.get_submodule('lq_codebook'), self.opt['path'].get('pretrain_network_lq') or path)

    def init_training(self) -> None:
        self.image_losses = ImageLosses(self.train_opt).to(self.device)
        if not len(self.image_losses):
            raise InputError(f'the control module needs a loss on images: one of train.{", train.".join(IMAGE_LOSSES)}')
        self.s_lq = float(self.train_opt.get('s_lq', 1.0))
        self.optimizer_g = self.add_optimizer('g', self.net_g)

    def training_step(self, current_iter: int) -> dict[str, Tensor]:
        with self.autocast():
            restored = self.net_g(self.lq, s_lq=self.s_lq)[0]
            log = self.image_losses(restored, self.gt)
        self.optimise(self.optimizer_g, sum(log.values(), start=restored.new_zeros(())))
        return log

    def restore(self) -> Tensor:
        return self.inference_net('g')(self.lq, s_lq=self.opt['val'].get('s_lq', 1.0))[0]
