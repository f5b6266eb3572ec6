"""The network that tells, from the photo of a face alone, what in it is the face."""

import itertools
from collections.abc import Sequence
from typing import Annotated

import torch
from basicsr.utils.registry import ARCH_REGISTRY
from pydantic import Field, PositiveInt
from torch import Tensor, nn
from torch.nn import functional as F

from daefr_arch.archs.bands import FLOOR, LEVELS, MAPS, SMALLEST_SIDE, expand, local_energy, resized, split, to_ycc
from daefr_arch.archs.layers import check_image_batch

FINE_FEATURES = 12 + 2 * MAPS + 3  # pixels of 2x2, energies of all bands, marks
INITIAL_LOG_RATIOS = (-0.3, -1.2, -2.3, -3.2, -3.7, -3.9)  # about the means over photos, from fine to coarse


class DAEFREvidenceBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut, (B, C, H, W) -> same. Without norms, which hide how strong noise is."""

    def __init__(self, channels: int, dilation: int = 1) -> None:
        super().__init__()
        self.conv1 = convolution(channels, channels, dilation=dilation)
        self.conv2 = convolution(channels, channels)
        nn.init.kaiming_normal_(self.conv2.weight, a=10, nonlinearity='leaky_relu')  # begins near the identity

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x + self.conv2(F.relu(self.conv1(x))))


def convolution(in_channels: int, out_channels: int, *, stride: int = 1, dilation: int = 1) -> nn.Conv2d:
    """A 3x3 convolution that keeps the variance of what ReLU has rectified (He et al., ICCV 2015)."""
    conv = nn.Conv2d(in_channels, out_channels, 3, stride, padding=dilation, dilation=dilation)
    nn.init.kaiming_normal_(conv.weight, nonlinearity='relu')
    nn.init.zeros_(conv.bias)  # type: ignore[arg-type]
    return conv


@ARCH_REGISTRY.register()
class DAEFREvidence(nn.Module):
    """Predicts `bands.log_error_ratio` of a photo whose truth is unknown.

    forward: photos of aligned faces (B, 3, H, W), RGB in [-1, 1], sides multiples of 32 (trained at 256) -> maps
    (B, 2, h, w) of luma and chroma by band from fine to coarse, the rest last; h is H/2 for the two finest bands, then
    H/4, H/8, H/16, and H/32 for the rest. Raises ValueError or TypeError for another batch.

    A U-Net over pixels, the log energies of the bands, and marks of what bands do
    not show well: the residual of a median, top hat and black hat (lines and specks).

    Args:
        channels: at H/2, H/4, H/8, H/16, H/32.
    """

    def __init__(
        self,
        channels: Annotated[Sequence[PositiveInt], Field(min_length=LEVELS, max_length=LEVELS)] = (16, 32, 64, 64, 48),
    ) -> None:
        super().__init__()
        if len(channels) != LEVELS:
            raise ValueError(f'channels: expected {LEVELS} numbers, got {channels}')
        inputs = [FINE_FEATURES, *(width + 2 for width in channels[:-1])]
        self.encoder = nn.ModuleList(
            convolution(before, width, stride=1 if level == 0 else 2)
            for level, (before, width) in enumerate(zip(inputs, channels, strict=True))
        )
        self.blocks = nn.ModuleList(
            DAEFREvidenceBlock(width, dilation=2 if level in (2, 3) else 1) for level, width in enumerate(channels)
        )
        self.whole = nn.Linear(channels[-1], channels[-1])
        self.decoder = nn.ModuleList(convolution(coarse + fine, fine) for fine, coarse in itertools.pairwise(channels))
        heads = [nn.Conv2d(width, 4 if level == 0 else 2, 1) for level, width in enumerate(channels)]
        for level, head in enumerate(heads):
            nn.init.normal_(head.weight, std=0.01)
            start = torch.tensor(INITIAL_LOG_RATIOS[:2] if level == 0 else INITIAL_LOG_RATIOS[level + 1 : level + 2])
            head.bias = nn.Parameter(start.repeat_interleave(2))
        self.heads = nn.ModuleList(heads)

    def forward(self, photo: Tensor) -> list[Tensor]:
        check_image_batch(photo, 3, None, next(self.parameters()))
        if any(side % SMALLEST_SIDE for side in photo.shape[2:]):
            raise ValueError(f'expected sides that are multiples of {SMALLEST_SIDE}, got {tuple(photo.shape)}')
        features = self._features(photo)
        skips: list[Tensor] = []
        x = features[0]
        for level, (encoder, block) in enumerate(zip(self.encoder, self.blocks, strict=True)):
            x = block(F.relu(encoder(x if level == 0 else torch.cat((x, features[level]), 1))))
            skips.append(x)
        x = x + F.relu(self.whole(x.mean((2, 3))))[..., None, None]
        maps = [self.heads[-1](x)]
        for level in reversed(range(LEVELS - 1)):
            x = F.relu(self.decoder[level](torch.cat((expand(x), skips[level]), 1)))
            maps.append(self.heads[level](x))
        finest = maps.pop()
        return [finest[:, :2], finest[:, 2:], *reversed(maps)]

    @staticmethod
    @torch.no_grad()
    def _features(photo: Tensor) -> list[Tensor]:
        """What each level of the encoder is given, at the size of the level's input."""
        ycc = to_ycc(photo)
        bands = split(ycc)
        energies = [((energy + FLOOR).log() + 6) / 3 for energy in local_energy(bands)]
        half = energies[0].shape[2:]
        at_half = [resized(energy, half) for energy in energies]
        fine = torch.cat((F.pixel_unshuffle(ycc, 2), *at_half, _marks(ycc[:, :1])), 1)
        return [fine, *(expand(energy) for energy in energies[2:])]


def _marks(luma: Tensor) -> Tensor:
    """(B, 1, H, W) -> (B, 3, H/2, W/2): log of a median's residual, top hat and black hat of five pixels."""
    residual = (luma - _median_of_3(_median_of_3(luma, 3), 2)).square()
    top_hat = luma - _dilate(-_dilate(-luma))
    black_hat = -_dilate(-_dilate(luma)) - luma
    hats = F.max_pool2d(torch.cat((top_hat, black_hat), 1), 2) * 3
    return torch.cat((((F.avg_pool2d(residual, 2) + FLOOR).log() + 8) / 3, hats), 1)


def _dilate(luma: Tensor) -> Tensor:
    """The largest of five pixels a side, (B, 1, H, W) -> same; as a maximum of three pairs it beats pooling."""
    for dim, padding in ((3, (2, 2, 0, 0)), (2, (0, 0, 2, 2))):
        length = luma.shape[dim]
        padded = F.pad(luma, padding, mode='replicate')
        pairs = torch.maximum(padded.narrow(dim, 0, length + 2), padded.narrow(dim, 1, length + 2))
        fours = torch.maximum(pairs.narrow(dim, 0, length), pairs.narrow(dim, 2, length))
        luma = torch.maximum(fours, padded.narrow(dim, 4, length))
    return luma


def _median_of_3(luma: Tensor, dim: int) -> Tensor:
    """Of each pixel and its two neighbours along a dimension; borders are repeated."""
    length = luma.shape[dim]
    before = torch.cat((luma.narrow(dim, 0, 1), luma.narrow(dim, 0, length - 1)), dim)
    after = torch.cat((luma.narrow(dim, 1, length - 1), luma.narrow(dim, length - 1, 1)), dim)
    low, high = torch.minimum(before, after), torch.maximum(before, after)
    return torch.maximum(low, torch.minimum(high, luma))
