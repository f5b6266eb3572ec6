"""The stage after the evidence: the network that mends the mixture of photo and network's face."""

from typing import Any

import torch
from basicsr.archs import build_network
from basicsr.utils.registry import MODEL_REGISTRY
from torch import Tensor

from daefr_arch.archs.evidence_arch import DAEFREvidence
from daefr_arch.checkpoints import load_stage_network
from daefr_arch.errors import InputError
from daefr_arch.faces.band_fusion import mix, tone_like, with_texture
from daefr_arch.faces.evidence import weights
from daefr_arch.models.base import DAEFRBaseModel
from daefr_arch.models.frozen import freeze
from daefr_arch.models.image_losses import IMAGE_LOSSES, ImageLosses


@MODEL_REGISTRY.register()
class DAEFRHarmoniserModel(DAEFRBaseModel):
    """Trains network_g, a DAEFRHarmoniser, on mixtures by a frozen network_evidence.

    The dataset is a DAEFRHarmoniserDataset. Options: pixel_opt, perceptual_opt, identity_opt under train, the losses;
    train.random_fidelity, how often a batch is mixed at a random fidelity instead of `auto` (0);
    path.pretrain_network_evidence, the checkpoint of the evidence, always needed; path.pretrain_network_g, a
    checkpoint to go on from.
    """

    train_keys = (*IMAGE_LOSSES, 'random_fidelity', 'optim_g')
    path_keys = ('pretrain_network_g', 'pretrain_network_evidence')

    def init_networks(self) -> None:
        path = self.opt['path'].get('pretrain_network_evidence')
        if not path:
            raise InputError('path.pretrain_network_evidence is missing: name the checkpoint of the evidence')
        self.evidence: DAEFREvidence = build_network(self.opt['network_evidence']).to(self.device)
        load_stage_network(self.evidence, path, 'evidence')
        freeze(self.evidence)
        self.net_g = self.prepare('g', self.build('g', 'harmoniser'))

    def init_training(self) -> None:
        self.image_losses = ImageLosses(self.train_opt).to(self.device)
        if not len(self.image_losses):
            raise InputError(f'the harmoniser needs a loss on images: one of train.{", train.".join(IMAGE_LOSSES)}')
        self.random_fidelity = float(self.train_opt.get('random_fidelity', 0))
        self.optimizer_g = self.add_optimizer('g', self.net_g)

    def feed_data(self, data: dict[str, Any]) -> None:
        super().feed_data(data)
        if 'network' not in data:
            raise InputError("the harmoniser needs a dataset with a network's faces: DAEFRHarmoniserDataset")
        self.network_face = data['network'].to(self.device, non_blocking=True)

    @torch.no_grad()
    def _mixture(self, fidelity: float | None) -> tuple[Tensor, Tensor, list[Tensor]]:
        """The network's face in the photo's tones, the mixture, and the photo's weights, float32."""
        shares = weights([map_.float() for map_ in self.evidence(self.lq)], fidelity)
        with torch.autocast(self.device.type, enabled=False):
            network = tone_like(self.network_face, self.lq)
            return network, mix(self.lq, network, shares), shares

    def training_step(self, current_iter: int) -> dict[str, Tensor]:
        draw = torch.rand(2).tolist()
        fidelity = 0.2 + 0.7 * draw[1] if draw[0] < self.random_fidelity else None
        with self.autocast():
            network, mixture, shares = self._mixture(fidelity)
            corrected = mixture + self.net_g(self.lq, network, mixture, shares).float()
            with torch.autocast(self.device.type, enabled=False):
                result = with_texture(corrected, self.lq, network, shares)
            log = self.image_losses(result, self.gt)
        self.optimise(self.optimizer_g, sum(log.values(), start=result.new_zeros(())))
        return log

    def restore(self) -> Tensor:
        network, mixture, shares = self._mixture(None)
        corrected = mixture + self.inference_net('g')(self.lq, network, mixture, shares)
        return with_texture(corrected, self.lq, network, shares)
