"""The identity loss: cosine distance of face embeddings (ArcFace, Deng et al., CVPR 2019)."""

from pathlib import Path

import torch
from basicsr.utils.registry import LOSS_REGISTRY
from pydantic import NonNegativeFloat
from torch import Tensor, nn
from torch.nn import functional as F

from daefr_arch.checkpoints import foreign_file
from daefr_arch.errors import WeightsError
from daefr_arch.losses.precision import at_least_float32

EMBEDDING_SIZE = 112  # pixels, side of ArcFace's crops
# ArcFace's 112-pixel template in facexlib's FFHQ template (least squares over the five landmarks), as fractions of the
# side of an aligned face: left, top, right, bottom
CROP = (0.1291, 0.1228, 0.8728, 0.8666)


def load_embedding_network(path: str | Path) -> nn.Module:
    """The face embedding network of an ONNX file (1, 3, 112, 112) RGB, as a differentiable frozen module.

    Raises WeightsError where the file or the package onnx2torch is missing, or where it is no such network.
    """
    if not Path(path).is_file():
        raise WeightsError(f'no face embedding network at {path}: name an ONNX file, or leave identity_opt out')
    try:
        from onnx2torch import convert
    except ImportError as error:
        raise WeightsError("the identity loss needs an extra: pip install 'daefr_arch[identity]'") from error
    from google.protobuf.message import DecodeError  # these come with onnx2torch
    from onnx.checker import ValidationError

    with foreign_file(path, 'an ONNX network', DecodeError, ValidationError):
        network: nn.Module = convert(str(path)).requires_grad_(False).eval()
        with torch.no_grad():
            embedding = network(torch.zeros(1, 3, EMBEDDING_SIZE, EMBEDDING_SIZE))
        if embedding.ndim != 2 or not embedding.isfinite().all():
            raise WeightsError(f'{path}: expected finite embeddings (1, D), the network gives {tuple(embedding.shape)}')
    return network


@LOSS_REGISTRY.register()
class DAEFRIdentityLoss(nn.Module):
    """1 - cosine of the face embeddings. forward(x, target), aligned faces (B, 3, H, W) in [-1, 1], RGB -> scalar.

    Args:
        embedding_network: path of an ONNX file; its input is (1, 3, 112, 112) RGB, (value - 127.5) / 128.
        loss_weight: factor of the loss.

    Raises WeightsError where the file or the package onnx2torch is missing.
    """

    def __init__(self, embedding_network: str, loss_weight: NonNegativeFloat = 1.0) -> None:
        super().__init__()
        self.loss_weight = loss_weight
        self.network = load_embedding_network(embedding_network)

    def train(self, mode: bool = True) -> 'DAEFRIdentityLoss':
        """Leaves the frozen network in eval mode."""
        return super().train(False)

    def embed(self, x: Tensor) -> Tensor:
        """Aligned faces (B, 3, H, W) in [-1, 1], RGB -> embeddings (B, d) of unit length."""
        height, width = x.shape[2:]
        left, top, right, bottom = (round(f * size) for f, size in zip(CROP, (width, height) * 2, strict=True))
        face = F.interpolate(
            x[..., top:bottom, left:right], size=(EMBEDDING_SIZE, EMBEDDING_SIZE), mode='bilinear', antialias=True
        )
        # the converted network has its batch size of 1 built in
        embedding = torch.func.vmap(lambda one: self.network(one[None])[0])(face * (127.5 / 128))
        return F.normalize(embedding, dim=1)

    def forward(self, x: Tensor, target: Tensor) -> Tensor:
        with torch.autocast(x.device.type, enabled=False):
            with torch.no_grad():
                target_embedding = self.embed(at_least_float32(target))
            cosine = (self.embed(at_least_float32(x)) * target_embedding).sum(1)
        return self.loss_weight * (1 - cosine).mean()
