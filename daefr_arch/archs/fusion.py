"""Fusion of the two encoders' features (Sec. 3.3), and the control of the LQ feature (appendix C)."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from daefr_arch.archs.layers import AttentionBlock, ResidualBlock, to_map, to_tokens

FUSIONS = ('mhca', 'mhca_ffn', 'linear')


class MHCAFFNFusion(nn.Module):
    """Multi-head cross-attention, LayerNorm and a feed-forward network of two convolutions (Eq. 9 and 10)."""

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.mhca = AttentionBlock(channels, heads, cross=True)
        self.norm = nn.LayerNorm(channels)
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, hq_feature: Tensor, lq_feature: Tensor) -> Tensor:
        attended = self.mhca(hq_feature, lq_feature)
        normed = to_map(self.norm(to_tokens(attended)), *attended.shape[2:])
        return self.conv2(F.gelu(self.conv1(normed)))


class LinearFusion(nn.Module):
    """Three fully connected layers on the concatenated features of a place (Table 2 (d)), GELU between them."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(2 * channels, channels),
            nn.GELU(),
            nn.Linear(channels, channels),
            nn.GELU(),
            nn.Linear(channels, channels),
        )

    def forward(self, hq_feature: Tensor, lq_feature: Tensor) -> Tensor:
        tokens = to_tokens(torch.cat([hq_feature, lq_feature], 1))
        return to_map(self.layers(tokens), *hq_feature.shape[2:])


def build_fusion(name: str, channels: int, heads: int) -> nn.Module:
    """The fusion module called `name`: forward(hq_feature, lq_feature), both (B, C, h, w) -> fused (B, C, h, w).

    Raises ValueError for an unknown name.
    """
    if name == 'mhca':
        return AttentionBlock(channels, heads, cross=True)
    if name == 'mhca_ffn':
        return MHCAFFNFusion(channels, heads)
    if name == 'linear':
        return LinearFusion(channels)
    raise ValueError(f'expected fusion to be one of {FUSIONS}, got {name!r}')


class LQControl(nn.Module):
    """Adds s_lq times a residual made from the LQ codes to the restored code feature (Fig. 10).

    A residual block and a convolution encode the concatenation; scale and shift of a spatial feature transform
    (Wang et al., CVPR 2018) make the residual. forward: code feature and LQ code feature (B, C, h, w), s_lq in
    [0, 1] -> (B, C, h, w).
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.encode = nn.Sequential(ResidualBlock(2 * channels, channels), nn.Conv2d(channels, channels, 3, padding=1))
        self.scale = self._head(channels)
        self.shift = self._head(channels)

    @staticmethod
    def _head(channels: int) -> nn.Module:
        """Two convolutions that start at zero, so that an untrained module changes nothing."""
        last = nn.Conv2d(channels, channels, 3, padding=1)
        for parameter in last.parameters():
            nn.init.zeros_(parameter)
        return nn.Sequential(nn.Conv2d(channels, channels, 3, padding=1), nn.LeakyReLU(0.2), last)

    def forward(self, code_feature: Tensor, lq_code_feature: Tensor, s_lq: float) -> Tensor:
        encoded = self.encode(torch.cat([lq_code_feature, code_feature], 1))
        return code_feature + s_lq * (code_feature * self.scale(encoded) + self.shift(encoded))
