"""The stage beside the others: the network of evidence, from pairs of a photo and the face that it should show."""

from basicsr.losses import build_loss
from basicsr.utils.registry import MODEL_REGISTRY
from torch import Tensor

from daefr_arch.archs import bands
from daefr_arch.errors import InputError
from daefr_arch.faces.evidence import weights
from daefr_arch.models.base import DAEFRBaseModel


@MODEL_REGISTRY.register()
class DAEFREvidenceModel(DAEFRBaseModel):
    """Trains network_g, a DAEFREvidence. No restoration network takes part.

    Options: train.evidence_opt, the loss; path.pretrain_network_g, a checkpoint to go on from.

    Validation shows the photo with every band scaled by its evidence: what is left where no network fills in the rest.
    """

    train_keys = ('evidence_opt', 'optim_g')
    path_keys = ('pretrain_network_g',)

    def init_networks(self) -> None:
        self.net_g = self.prepare('g', self.build('g', 'evidence'))

    def init_training(self) -> None:
        if not self.train_opt.get('evidence_opt'):
            raise InputError('train.evidence_opt is missing: the evidence is not trained without it')
        self.evidence_loss = build_loss(self.train_opt['evidence_opt']).to(self.device)
        self.optimizer_g = self.add_optimizer('g', self.net_g)

    def training_step(self, current_iter: int) -> dict[str, Tensor]:
        if self.gt is None:
            raise InputError('evidence needs a dataset with pairs of gt and lq images')
        with self.autocast():
            maps = self.net_g(self.lq)
        losses = self.evidence_loss(maps, self.lq, self.gt)
        self.optimise(self.optimizer_g, losses.loss)
        return {'l_evidence': losses.loss, 'explained': losses.explained}

    def restore(self) -> Tensor:
        photo = bands.split(bands.to_ycc(self.lq))
        shares = weights(self.inference_net('g')(self.lq))
        kept = [bands.scaled(band, share) for band, share in zip(photo, shares, strict=True)]
        return bands.to_rgb(bands.join(kept))
