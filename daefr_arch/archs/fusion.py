"""Fusion of the two encoders' features (Sec. 3.3), and the control of the LQ feature (appendix C)."""

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from daefr_arch.archs.layers import AttentionBlock, MultiHeadAttention, ResidualBlock, to_map, to_tokens

Fusion = Literal['mhca', 'mhca_ffn', 'paper', 'linear']
FUSIONS: tuple[Fusion, ...] = ('mhca', 'mhca_ffn', 'paper', 'linear')


class PlainCrossAttention(nn.Module):
    """Eq. 9 as it stands: query of the LQ feature, key and value of the HQ feature, no norm before, no residual."""

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.attention = MultiHeadAttention(channels, heads)

    def forward(self, hq_feature: Tensor, lq_feature: Tensor) -> Tensor:
        query, context = to_tokens(lq_feature), to_tokens(hq_feature)
        return to_map(self.attention(query, context, context), *hq_feature.shape[2:])


class MHCAFFNFusion(nn.Module):
    """Cross-attention, LayerNorm and a feed-forward network of two convolutions, GELU between them (Eq. 10).

    Args:
        channels: of the features.
        mhca: the cross-attention, forward(hq_feature, lq_feature).
    """

    def __init__(self, channels: int, mhca: nn.Module) -> None:
        super().__init__()
        self.mhca = mhca
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
        return MHCAFFNFusion(channels, AttentionBlock(channels, heads, cross=True))
    if name == 'paper':
        return MHCAFFNFusion(channels, PlainCrossAttention(channels, heads))
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
