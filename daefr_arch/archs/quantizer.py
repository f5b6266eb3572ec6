"""Vector quantisation: the discrete codebook (Sec. 3.1)."""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Quantized(NamedTuple):
    """straight_through: (B, d, h, w), the codes, whose gradient goes to the feature that was quantised; codes:
    (B, d, h, w), the same with their own gradient; indices: (B, h * w) int64, row-major."""

    straight_through: Tensor
    codes: Tensor
    indices: Tensor


class VectorQuantizer(nn.Module):
    """Nearest of N codes by the L2 norm (Eq. 1), without N-wide one-hot products.

    forward: (B, d, h, w) -> Quantized. Distances are computed in float32, under autocast too.
    """

    def __init__(self, codebook_size: int, embed_dim: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(codebook_size, embed_dim)
        nn.init.uniform_(self.embedding.weight, -1 / codebook_size, 1 / codebook_size)

    def nearest(self, feature: Tensor) -> Tensor:
        """(B, d, h, w) -> indices (B, h * w) of the nearest codes."""
        with torch.no_grad(), torch.autocast(feature.device.type, enabled=False):
            vectors = feature.permute(0, 2, 3, 1).flatten(0, 2).float()
            codes = self.embedding.weight.float()
            # |z - c|^2 without |z|^2, which is the same for every code
            distances = torch.addmm(codes.square().sum(1), vectors, codes.t(), alpha=-2)
            return distances.argmin(1).view(feature.shape[0], -1)

    def lookup(self, indices: Tensor, height: int, width: int) -> Tensor:
        """Indices (B, h * w) -> codes (B, d, h, w), laid out channels_last."""
        if indices.shape[1] != height * width:
            raise ValueError(f'expected {height * width} indices an image ({height}x{width}), got {indices.shape[1]}')
        return F.embedding(indices, self.embedding.weight).unflatten(1, (height, width)).permute(0, 3, 1, 2)

    def forward(self, feature: Tensor) -> Quantized:
        indices = self.nearest(feature)
        codes = self.lookup(indices, *feature.shape[2:])
        return Quantized(feature + (codes - feature).detach(), codes, indices)
