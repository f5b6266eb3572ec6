"""Evidence and fusion by PyTorch."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from daefr_arch.faces.band_fusion import FusedChange
from daefr_arch.runtime.precision import precision_context


class TorchFusion:
    """FusionNetworks in PyTorch, in float32.

    Args:
        evidence: a DAEFREvidence.
        harmoniser: a DAEFRHarmoniser, or None for the bare mixture.
        device: where they run.
    """

    def __init__(
        self, evidence: nn.Module, harmoniser: nn.Module | None = None, *, device: str | torch.device = 'cpu'
    ) -> None:
        self.device = torch.device(device)
        self.judge = self._prepared(evidence)
        self.fused_change = self._prepared(FusedChange(harmoniser))

    def _prepared(self, network: nn.Module) -> nn.Module:
        network = network.float().eval().requires_grad_(False)
        return network.to(self.device).to(memory_format=torch.channels_last)

    def _images(self, planes: np.ndarray) -> Tensor:
        return torch.from_numpy(planes).to(self.device).contiguous(memory_format=torch.channels_last)

    @torch.inference_mode()
    def evidence(self, photos: np.ndarray) -> list[np.ndarray]:
        """As FusionNetworks.evidence."""
        with precision_context('fp32', self.device):
            return [map_.cpu().numpy() for map_ in self.judge(self._images(photos))]

    @torch.inference_mode()
    def change(
        self, photos: np.ndarray, network_faces: np.ndarray, shares: Sequence[np.ndarray], strength: float
    ) -> np.ndarray:
        """As FusionNetworks.change."""
        weights = [torch.from_numpy(share).to(self.device) for share in shares]
        factor = torch.tensor(strength, dtype=torch.float32, device=self.device)
        with precision_context('fp32', self.device):
            change: Tensor = self.fused_change(self._images(photos), self._images(network_faces), factor, *weights)
        return change.cpu().numpy()
