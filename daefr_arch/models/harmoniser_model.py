"""The stage after the evidence: the network that mends the mixture of photo and network's face."""

from typing import Annotated, Any, ClassVar

import torch
from basicsr.archs import build_network
from basicsr.losses import build_loss
from basicsr.utils.registry import MODEL_REGISTRY
from torch import Tensor, nn

from daefr_arch.archs.evidence_arch import DAEFREvidence
from daefr_arch.errors import InputError
from daefr_arch.faces.band_fusion import FusedChange
from daefr_arch.faces.evidence import weights
from daefr_arch.models.adversary import AdversarialFile, AdversarialOptions, discriminator_loss, generator_loss
from daefr_arch.models.base import DAEFRBaseModel
from daefr_arch.models.frozen import freeze
from daefr_arch.models.image_losses import ImageLosses
from daefr_arch.models.starting_points import Start
from daefr_arch.options.kinds import Share
from daefr_arch.options.registered import Network
from daefr_arch.options.run_file import Optimiser, PathOptions, StartsFrom


class HarmoniserOptions(AdversarialOptions):
    """`train` of the harmonising network; one of the losses on images is needed."""

    random_fidelity: Share = 0.0
    """how often a batch is mixed at a random fidelity instead of `auto`"""
    optim_g: Optimiser
    """of the network"""

    needs_image_loss: ClassVar[bool] = True


class HarmoniserFile(AdversarialFile):
    """The option file of the harmonising network."""

    network_g: Network
    """the harmonising network"""
    network_evidence: Network
    """the network of evidence, frozen"""
    path: Annotated[
        PathOptions,
        StartsFrom(
            {'evidence': 'the checkpoint of the evidence, always needed', 'g': 'a checkpoint to go on from'},
            needed=('evidence',),
        ),
    ]
    train: HarmoniserOptions


@MODEL_REGISTRY.register()
class DAEFRHarmoniserModel(DAEFRBaseModel):
    """Trains network_g, a DAEFRHarmoniser, on mixtures by a frozen network_evidence.

    The dataset is a DAEFRHarmoniserDataset. Losses see the face before `with_texture`: trained behind it the network is
    no better. Validation sees what users get but for its grain.
    """

    Options = HarmoniserFile
    options: HarmoniserFile
    stage = 'harmoniser'
    starts: ClassVar = {'evidence': Start(('evidence',)), 'g': Start(('harmoniser',))}

    def init_networks(self) -> None:
        self.evidence: DAEFREvidence = build_network(self.opt['network_evidence']).to(self.device)
        self.load_start(self.evidence, 'evidence', 'evidence')
        freeze(self.evidence)
        self.net_g = self.prepare('g', self.build('g', 'harmoniser'))
        self.net_d = None
        if self.is_train and self.options.train.gan_opt:
            self.net_d = self.prepare('d', self.build('d', 'harmoniser_discriminator'), ema=False)

    def init_training(self) -> None:
        self.image_losses = ImageLosses(self.options.train).to(self.device)
        self.optimizer_g = self.add_optimizer('g', self.net_g)
        self.adversarial = None
        if self.net_d is not None:
            self.adversarial = build_loss(self.options.train.gan_opt).to(self.device)
            self.optimizer_d = self.add_optimizer('d', self.net_d)

    def feed_data(self, data: dict[str, Any]) -> None:
        super().feed_data(data)
        if 'network' not in data:
            raise InputError("the harmoniser needs a dataset with a network's faces: DAEFRHarmoniserDataset")
        self.network_face = data['network'].to(self.device, non_blocking=True)

    def _fused(self, harmoniser: nn.Module, *, textured: bool = True, fidelity: float | None = None) -> Tensor:
        """The fused face, (B, 3, H, W) float32 RGB in [-1, 1], not clipped; textured: what users get but grain."""

        def correction(*inputs: Any) -> Tensor:
            with self.autocast():
                return harmoniser(*inputs).float()

        with torch.no_grad(), self.autocast():
            shares = weights([map_.float() for map_ in self.evidence(self.lq)], fidelity)
        change = FusedChange(correction, textured=textured)
        return self.lq + change(self.lq, self.network_face, torch.ones((), device=self.device), *shares)

    def training_step(self, current_iter: int) -> dict[str, Tensor]:
        assert self.gt is not None  # of a DAEFRHarmoniserDataset
        draw = torch.rand(2).tolist()
        fidelity = 0.2 + 0.7 * draw[1] if draw[0] < self.options.train.random_fidelity else None
        result = self._fused(self.net_g, textured=False, fidelity=fidelity)
        adversarial = self.adversarial if self.adversarial and self.adversarial.active(current_iter) else None
        with self.autocast():
            loss, log = generator_loss(
                result,
                self.gt,
                self.image_losses,
                adversarial=adversarial,
                discriminator=self.net_d and self.get_bare_model(self.net_d),
                scale=self.scaler.get_scale(),
            )
        self.optimise(self.optimizer_g, loss)
        if adversarial and self.net_d is not None:
            with self.autocast():
                loss, discriminator_log = discriminator_loss(self.net_d, adversarial, self.gt, result)
            self.optimise(self.optimizer_d, loss)
            log |= discriminator_log
        return log

    def restore(self) -> Tensor:
        return self._fused(self.inference_net('g'))
