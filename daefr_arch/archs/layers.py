"""Blocks that the encoders, the decoder, the fusion and the transformer share. Feature maps are (B, C, H, W)."""

from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from daefr_arch.archs.norm_conv import norm_and_conv
from daefr_arch.kernels import can_fuse

GROUPS = 32  # of every GroupNorm (Table 5)
GroupedChannels = Annotated[int, Field(gt=0, multiple_of=GROUPS)]  # of maps that a GroupNorm takes
Resampling = Literal['strided', 'bilinear']
RESAMPLINGS: tuple[Resampling, ...] = ('strided', 'bilinear')


def check_image_batch(x: Tensor, channels: int, size: int | None, parameter: Tensor) -> None:
    """Raises ValueError or TypeError unless x is a float batch (B, channels, size, size) that fits the parameters."""
    expected = f'(B, {channels}, {size or "H"}, {size or "W"})'
    if x.ndim != 4 or x.shape[1] != channels or (size is not None and tuple(x.shape[2:]) != (size, size)):
        raise ValueError(f'expected an image batch {expected}, got a tensor {tuple(x.shape)}')
    if not x.is_floating_point():
        raise TypeError(f'expected a floating-point image batch in [-1, 1], got {x.dtype}')
    if x.dtype != parameter.dtype and not torch.is_autocast_enabled(x.device.type):
        raise TypeError(f'expected an image batch of {parameter.dtype}, like the parameters, got {x.dtype}')


def nan_unless_finite(images: Tensor, *causes: Tensor) -> Tensor:
    """The images (B, C, H, W), NaN throughout where one of `causes`, (B, ...) each, is not finite in that item.

    argmax and argmin make a valid code of NaN, so that what failed before a codebook would look like a result after it.
    """
    finite = torch.stack([cause.isfinite().flatten(1).all(1) for cause in causes]).all(0)
    return images.masked_fill(~finite[:, None, None, None], torch.nan)


def to_tokens(feature: Tensor) -> Tensor:
    """(B, C, H, W) -> (B, H * W, C), row-major. Free of copies when the map is channels_last."""
    return feature.permute(0, 2, 3, 1).flatten(1, 2)


def to_map(tokens: Tensor, height: int, width: int) -> Tensor:
    """(B, H * W, C), row-major -> (B, C, H, W)."""
    return tokens.unflatten(1, (height, width)).permute(0, 3, 1, 2)


class GroupNormSiLU(nn.GroupNorm):
    """GroupNorm (32 groups, eps 1e-6) and SiLU, (B, C, H, W) -> same, in two passes where Triton's kernels run.

    forward(x, pre_bias): pre_bias (C,) is added to x first, as the bias that a convolution left out.
    """

    def __init__(self, channels: int) -> None:
        super().__init__(GROUPS, channels, eps=1e-6)

    def forward(self, x: Tensor, pre_bias: Tensor | None = None) -> Tensor:
        if can_fuse(x):
            from daefr_arch.kernels.group_norm_silu import group_norm_silu

            return group_norm_silu(x, self.weight, self.bias, self.num_groups, self.eps, pre_bias)
        if pre_bias is not None:
            x = x + pre_bias[:, None, None]
        return F.silu(super().forward(x), inplace=not torch.is_grad_enabled())


class ResidualBlock(nn.Module):
    """Twice GroupNorm, SiLU, 3x3 convolution; 1x1 shortcut where the channels change (Table 5).

    (B, in_channels, H, W) -> (B, out_channels, H, W).
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.norm1 = GroupNormSiLU(in_channels)
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, padding=1)
        self.norm2 = GroupNormSiLU(out_channels)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1)
        same = in_channels == out_channels
        self.shortcut = nn.Identity() if same else nn.Conv2d(in_channels, out_channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        if can_fuse(x):
            return self._forward_fused(x)
        h = norm_and_conv(self.norm2, self.conv2, norm_and_conv(self.norm1, self.conv1, x))
        # without gradients in place: large tensors cost more to allocate than to add
        return self.shortcut(x) + h if torch.is_grad_enabled() else h.add_(self.shortcut(x))

    def _forward_fused(self, x: Tensor) -> Tensor:
        """The same; biases are added by the passes that read the convolutions' results anyway."""
        from daefr_arch.kernels.group_norm_silu import add_residual_

        h = F.conv2d(self.norm1(x), self.conv1.weight, padding=1)
        h = F.conv2d(self.norm2(h, self.conv1.bias), self.conv2.weight, padding=1)
        assert self.conv2.bias is not None
        return add_residual_(h, self.conv2.bias, self.shortcut(x))


class MultiHeadAttention(nn.Module):
    """softmax(Q K^T / sqrt(d)) V over tokens (B, N, C), with linear q, k, v and output projections (Eq. 9)."""

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        if channels % heads:
            raise ValueError(f'expected a number of heads that divides {channels} channels, got {heads}')
        self.heads = heads
        self.q = nn.Linear(channels, channels)
        self.k = nn.Linear(channels, channels)
        self.v = nn.Linear(channels, channels)
        self.proj_out = nn.Linear(channels, channels)

    def forward(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        def split(x: Tensor) -> Tensor:
            return x.unflatten(2, (self.heads, -1)).transpose(1, 2)

        out = F.scaled_dot_product_attention(split(self.q(query)), split(self.k(key)), split(self.v(value)))
        return self.proj_out(out.transpose(1, 2).flatten(2))


class AttentionBlock(nn.Module):
    """Residual attention on feature maps: self-attention, or cross-attention with a second input (Eq. 9).

    forward(x, other): the query comes from the normed `other` (x itself in self-attention), key and value from the
    normed x; the residual is on x. All maps are (B, C, H, W).
    """

    def __init__(self, channels: int, heads: int = 1, cross: bool = False) -> None:
        super().__init__()
        self.norm1 = nn.GroupNorm(GROUPS, channels, eps=1e-6)
        self.norm2 = nn.GroupNorm(GROUPS, channels, eps=1e-6) if cross else None
        self.attention = MultiHeadAttention(channels, heads)

    def forward(self, x: Tensor, other: Tensor | None = None) -> Tensor:
        if (other is None) != (self.norm2 is None):
            raise ValueError('a cross-attention block needs two inputs, a self-attention block one')
        context = to_tokens(self.norm1(x))
        query = context if self.norm2 is None else to_tokens(self.norm2(other))
        return x + to_map(self.attention(query, context, context), *x.shape[2:])


class Downsample(nn.Module):
    """Strided 3x3 convolution, padded by one right and below: (B, C, H, W) -> (B, C, H/2, W/2)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, stride=2, padding=2)

    def forward(self, x: Tensor) -> Tensor:
        # padded by two on all sides the result has one row and column more: dropping them copies less than padding x
        return self.conv(x)[:, :, 1:, 1:].clone()


class Upsample(nn.Module):
    """Nearest x2 and a 3x3 convolution: (B, C, H, W) -> (B, C, 2H, 2W).

    Computed as one transposed convolution of 4x4: four products for each input channel and pixel instead of nine, and
    no enlarged map.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)

    def _kernel(self) -> Tensor:
        """The mirrored 3x3 kernel, convolved with the 2x2 ones that repeat a pixel: (C, C, 4, 4), input first."""
        kernel = F.pad(self.conv.weight.flip(2, 3).transpose(0, 1), (1, 1, 1, 1))
        kernel = kernel[:, :, 1:] + kernel[:, :, :-1]
        return kernel[..., 1:] + kernel[..., :-1]

    def forward(self, x: Tensor) -> Tensor:
        return F.conv_transpose2d(x, self._kernel(), self.conv.bias, stride=2, padding=1)

    @torch.no_grad()
    def folded(self) -> nn.ConvTranspose2d:
        """The same module for inference, which does not compute its kernel anew in each call."""
        channels, kernel = self.conv.out_channels, self._kernel().contiguous(memory_format=torch.channels_last)
        folded = nn.ConvTranspose2d(channels, channels, 4, stride=2, padding=1, device='meta')
        folded.weight, folded.bias = nn.Parameter(kernel, requires_grad=False), self.conv.bias
        return folded


class BilinearDownsample(nn.Module):
    """Bilinear to half the size and a 3x3 convolution (Table 5): (B, C, H, W) -> (B, C, H/2, W/2)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv_after = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv_after(F.avg_pool2d(x, 2))  # each sample lies in the middle of four pixels: their mean


class BilinearUpsample(nn.Module):
    """Bilinear to twice the size and a 3x3 convolution (Table 5): (B, C, H, W) -> (B, C, 2H, 2W)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv_after = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv_after(F.interpolate(x, scale_factor=2, mode='bilinear'))


def downsample(resampling: Resampling, channels: int) -> nn.Module:
    """(B, C, H, W) -> (B, C, H/2, W/2), as `resampling` has it. Raises ValueError for an unknown name.

    The modules of the two ways name their convolutions differently, so that a checkpoint tells them apart.
    """
    if resampling not in RESAMPLINGS:
        raise ValueError(f'expected resampling to be one of {RESAMPLINGS}, got {resampling!r}')
    return BilinearDownsample(channels) if resampling == 'bilinear' else Downsample(channels)


def upsample(resampling: Resampling, channels: int) -> nn.Module:
    """(B, C, H, W) -> (B, C, 2H, 2W), the counterpart of `downsample`."""
    return BilinearUpsample(channels) if resampling == 'bilinear' else Upsample(channels)


class TransformerLayer(nn.Module):
    """Pre-norm self-attention and a GELU MLP on tokens (B, N, C); the position is added to query and key only."""

    def __init__(self, channels: int, heads: int, dim_mlp: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(channels)
        self.attention = MultiHeadAttention(channels, heads)
        self.norm2 = nn.LayerNorm(channels)
        self.linear1 = nn.Linear(channels, dim_mlp)
        self.linear2 = nn.Linear(dim_mlp, channels)

    def forward(self, tokens: Tensor, position: Tensor) -> Tensor:
        value = self.norm1(tokens)
        query = value + position.to(value.dtype)
        tokens = tokens + self.attention(query, query, value)
        return tokens + self.linear2(F.gelu(self.linear1(self.norm2(tokens))))
