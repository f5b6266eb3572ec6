"""facexlib's RetinaFace by PyTorch."""

import numpy as np
import torch
from facexlib.detection.retinaface import RetinaFace
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from daefr_arch import checkpoints
from daefr_arch.runtime.precision import precision_context

MEAN_BGR = (104.0, 117.0, 123.0)


class PicturesRetinaFace(nn.Module):
    """facexlib's network behind its own preparation.

    forward: pictures (N, H, W, 3) BGR, levels of 255 -> offsets of boxes (N, A, 4), scores (N, A, 2), offsets of
    landmarks (N, A, 10), all float32.
    """

    mean: torch.Tensor

    def __init__(self, network: RetinaFace) -> None:
        super().__init__()
        self.network = network
        self.register_buffer('mean', torch.tensor(MEAN_BGR, dtype=torch.float32), persistent=False)

    @classmethod
    def of(cls, network: str, state_dict: dict[str, torch.Tensor]) -> 'PicturesRetinaFace':
        """With the weights `state_dict`, in float32 whatever the default type is. network: as TorchRetinaFace's."""
        retinaface = RetinaFace(network_name=network, device=torch.device('cpu')).float()
        checkpoints.fill(retinaface, state_dict, f'detector {network}')
        return cls(retinaface).eval()

    def forward(self, pictures: torch.Tensor) -> tuple[torch.Tensor, ...]:
        pixels = (pictures.float() - self.mean).permute(0, 3, 1, 2)
        # NCHW on a GPU: grouped convolutions can be many times slower there in channels_last (pytorch issue 34977)
        return self.network(pixels.contiguous() if pixels.is_cuda else pixels)


class TorchRetinaFace:
    """DetectionNetwork: facexlib's `network` ('resnet50' or 'mobile0.25') with the weights `state_dict`, in float32."""

    def __init__(self, network: str, state_dict: dict[str, torch.Tensor], *, device: str | torch.device) -> None:
        self.device = torch.device(device)
        self.network = PicturesRetinaFace.of(network, state_dict).to(self.device)
        _fold_norms(self.network)
        if self.device.type == 'cpu':
            self.network.to(memory_format=torch.channels_last)

    @torch.inference_mode()
    def __call__(self, imgs: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """As DetectionNetwork."""
        with precision_context('fp32', self.device):
            outputs = self.network(torch.tensor(imgs, device=self.device))
        offsets, scores, landmarks = (output.cpu().numpy() for output in outputs)
        return offsets, scores, landmarks


def _fold_norms(module: nn.Module) -> None:
    """Folds each batch norm into the convolution before it: fewer maps, less time."""
    previous_name, previous = '', None
    for name, child in list(module.named_children()):
        if isinstance(child, nn.BatchNorm2d) and isinstance(previous, nn.Conv2d):
            setattr(module, previous_name, fuse_conv_bn_eval(previous, child))
            setattr(module, name, nn.Identity())
        _fold_norms(child)
        previous_name, previous = name, child
