"""The stage beside the others: the network of evidence, from pairs of a photo and the face that it should show."""

from typing import Annotated, ClassVar

from basicsr.losses import build_loss
from basicsr.utils.registry import MODEL_REGISTRY
from torch import Tensor

from daefr_arch.archs import bands
from daefr_arch.errors import InputError
from daefr_arch.faces.evidence import weights
from daefr_arch.models.base import DAEFRBaseModel
from daefr_arch.models.starting_points import Start
from daefr_arch.options.registered import Loss, Network
from daefr_arch.options.run_file import Optimiser, OptionFile, PathOptions, StartsFrom, TrainOptions


class EvidenceOptions(TrainOptions):
    """`train` of the network of evidence."""

    evidence_opt: Loss
    """how far the evidence is off"""
    optim_g: Optimiser
    """of the network"""


class EvidenceFile(OptionFile):
    """The option file of the network of evidence."""

    network_g: Network
    """the network of evidence"""
    path: Annotated[PathOptions, StartsFrom({'g': 'a checkpoint to go on from'})]
    train: EvidenceOptions


@MODEL_REGISTRY.register()
class DAEFREvidenceModel(DAEFRBaseModel):
    """Trains network_g, a DAEFREvidence. No restoration network takes part.

    Validation shows the photo with every band scaled by its evidence: what is left where no network fills in the rest.
    """

    Options = EvidenceFile
    options: EvidenceFile
    stage = 'evidence'
    starts: ClassVar = {'g': Start(('evidence',))}

    def init_networks(self) -> None:
        self.net_g = self.prepare('g', self.build('g', 'evidence'))

    def init_training(self) -> None:
        self.evidence_loss = build_loss(self.options.train.evidence_opt).to(self.device)
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
