"""Encoder and decoder of the codebook autoencoder (Table 5)."""

from collections.abc import Iterator, Sequence
from typing import Annotated, cast

from pydantic import Field, PositiveInt
from torch import Tensor, nn

from daefr_arch.archs.layers import AttentionBlock, GroupNormSiLU, Resampling, ResidualBlock, downsample, upsample

Levels = Annotated[Sequence[PositiveInt], Field(min_length=1)]  # a multiple of channels each


def quant_conv(in_channels: int, out_channels: int, present: bool) -> nn.Module:
    """The 1x1 convolution before or after the codebook, or nothing where it is not `present`.

    Raises ValueError where nothing would have to change the number of channels.
    """
    if present:
        return nn.Conv2d(in_channels, out_channels, 1)
    if in_channels != out_channels:
        raise ValueError(
            'without quant_convs: expected z_channels and embed_dim to be the same, '
            f'got {in_channels} and {out_channels} channels'
        )
    return nn.Identity()


class _Middle(nn.Module):
    """Residual block, self-attention, residual block at the lowest resolution."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.block_1 = ResidualBlock(channels, channels)
        self.attn_1 = AttentionBlock(channels)
        self.block_2 = ResidualBlock(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        return self.block_2(self.attn_1(self.block_1(x)))


class _Level(nn.Module):
    """The residual blocks of one resolution, each followed by attention if asked for, then the change of resolution.

    A container without forward: who runs its steps one by one holds no map longer than it is needed.
    """

    def __init__(self, in_channels: int, out_channels: int, blocks: int, attention: bool, resample: nn.Module) -> None:
        super().__init__()
        self.block = nn.ModuleList(
            ResidualBlock(in_channels if index == 0 else out_channels, out_channels) for index in range(blocks)
        )
        self.attn = nn.ModuleList(AttentionBlock(out_channels) for _ in range(blocks if attention else 0))
        self.resample = resample

    def steps(self) -> Iterator[nn.Module]:
        """The modules in the order in which they run."""
        for index, block in enumerate(self.block):
            yield block
            if self.attn:
                yield self.attn[index]
        yield self.resample


class Encoder(nn.Module):
    """Image (B, 3, R, R) in [-1, 1], RGB -> feature (B, z_channels, r, r), r = R / 2^(levels - 1)."""

    def __init__(
        self,
        resolution: int,
        ch: int,
        ch_mult: Sequence[int],
        num_res_blocks: int,
        attn_resolutions: Sequence[int],
        z_channels: int,
        mid_blocks: bool,
        resampling: Resampling,
    ) -> None:
        super().__init__()
        if resolution % 2 ** (len(ch_mult) - 1):
            raise ValueError(f'expected a resolution that {len(ch_mult) - 1} times halves, got {resolution}')
        self.conv_in = nn.Conv2d(3, ch, 3, padding=1)
        self.down = nn.ModuleList()
        channels, last = ch, len(ch_mult) - 1
        for level, multiplier in enumerate(ch_mult):
            out_channels = ch * multiplier
            resample = nn.Identity() if level == last else downsample(resampling, out_channels)
            attention = resolution >> level in attn_resolutions
            self.down.append(_Level(channels, out_channels, num_res_blocks, attention, resample))
            channels = out_channels
        self.mid = _Middle(channels) if mid_blocks else nn.Identity()
        self.norm_out = GroupNormSiLU(channels)
        self.conv_out = nn.Conv2d(channels, z_channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        h = self.conv_in(x)
        for level in self.down:
            for step in cast(_Level, level).steps():
                h = step(h)
        return self.conv_out(self.norm_out(self.mid(h)))


class Decoder(nn.Module):
    """Feature (B, z_channels, r, r) -> image (B, 3, R, R), about [-1, 1], RGB. Mirrors the encoder, with one residual
    block more a level; `up[0]` is the highest resolution."""

    def __init__(
        self,
        resolution: int,
        ch: int,
        ch_mult: Sequence[int],
        num_res_blocks: int,
        attn_resolutions: Sequence[int],
        z_channels: int,
        mid_blocks: bool,
        resampling: Resampling,
    ) -> None:
        super().__init__()
        channels = ch * ch_mult[-1]
        self.conv_in = nn.Conv2d(z_channels, channels, 3, padding=1)
        self.mid = _Middle(channels) if mid_blocks else nn.Identity()
        levels: list[nn.Module] = []
        for level in reversed(range(len(ch_mult))):
            out_channels = ch * ch_mult[level]
            resample = nn.Identity() if level == 0 else upsample(resampling, out_channels)
            attention = resolution >> level in attn_resolutions
            levels.insert(0, _Level(channels, out_channels, num_res_blocks + 1, attention, resample))
            channels = out_channels
        self.up = nn.ModuleList(levels)
        self.norm_out = GroupNormSiLU(channels)
        self.conv_out = nn.Conv2d(channels, 3, 3, padding=1)

    def last_feature(self, feature: Tensor) -> Tensor:
        """What the last convolution takes, (B, ch, R, R)."""
        h = self.mid(self.conv_in(feature))
        for level in reversed(self.up):
            for step in cast(_Level, level).steps():
                h = step(h)
        return self.norm_out(h)

    def forward(self, feature: Tensor) -> Tensor:
        return self.conv_out(self.last_feature(feature))
