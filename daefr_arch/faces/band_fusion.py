"""Mixing a photo's face and a network's by bands (section "Evidence" of the design): tensors in, tensors out."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from daefr_arch.archs import bands

# of texture that is raised to what the network's face promises: where all of the second band is a guess, not at all,
# because texture is no better placed than that, and where all of it is evidence
LARGEST_GAIN = (0.8, 3.8)
FINEST_RAISED = 1.5  # times the gain: only the finest of the upper half is raised, for what all of it lacks
SHARE_POWER = 6  # a photo with less texture than the network's face is to have it, unless nearly all of it is its own
SOFTER = 2.3  # the energy of a face's texture over that of the network's, which is soft
# of the network's finest colours, what is left out where features are evidence: more often specks than true
COLOUR_SHARE, COLOUR_BANDS = 0.7, 2
SMALL = 1e-6
CHROMA_SIDE = 16  # pixels at which chroma is compared with luma
# rms of the chroma beside its curve: of images in [-1, 1], and as part of the luma's deviation
MONOCHROME_RESIDUAL, MONOCHROME_SHARE = 0.02, 0.055


def mix(photo: Tensor, network: Tensor, weights: Sequence[Tensor]) -> Tensor:
    """sum over bands of w * photo + (1 - w) * network, of the network's finest colours only what likeness allows.

    Args:
        photo: RGB (B, 3, H, W), sides multiples of 32.
        network: like `photo`.
        weights: by band, maps (B, 2, h, w) of luma and chroma in [0, 1], of any size.

    Returns:
        RGB like `photo`, not clipped. Where a weight is 1 in all bands it is the photo, where 0 the network's face.
    """
    pairs = zip(bands.split(bands.to_ycc(photo)), bands.split(bands.to_ycc(network)), weights, strict=True)
    mixed = []
    for level, (of_photo, of_network, weight) in enumerate(pairs):
        if level < COLOUR_BANDS:
            likeness = bands.resized(weights[bands.FEATURES][:, :1], of_network.shape[2:])
            of_network = torch.cat((of_network[:, :1], of_network[:, 1:] * (1 - COLOUR_SHARE * likeness)), 1)
        mixed.append(of_network + bands.scaled(of_photo - of_network, weight))
    return bands.to_rgb(bands.join(mixed))


def with_texture(image: Tensor, photo: Tensor, network: Tensor, weights: Sequence[Tensor]) -> Tensor:
    """An image mixed of photo and network, the energy of its finest texture brought to what the weights promise.

    What is corrected for the mean error loses texture. What the finer half of the finest band of luma lacks of its
    energy is put in by scaling the finest that is there, which is in its place; where the photo shows all, nothing
    changes. The finest is what sharpness is seen by, and the least that can be wrong. Arguments and result are like
    those of `mix`.
    """
    own, of_photo, of_network = (bands.upper_half(bands.to_luma(each)) for each in (image, photo, network))
    energy, *parts = (bands.smooth(F.avg_pool2d(each.square(), 2)) for each in (own, of_photo, of_network))
    share, second = (bands.resized(weights[band][:, :1], energy.shape[2:]) for band in (0, 1))
    all_its_own = share**SHARE_POWER
    of_face = SOFTER * parts[1]
    more = parts[0] - of_face  # energy that the photo has beyond the network's face, or less than it
    promised = of_face + torch.maximum(share * more, all_its_own * more)
    least, most = LARGEST_GAIN
    gain = ((promised + SMALL) / (energy + SMALL)).sqrt().minimum(least + (most - least) * second).clamp(min=1.0)
    finest = FINEST_RAISED * bands.upper_half(own)
    return image + finest * bands.expand((gain - 1) * (1 - share))


class ToneCurve(NamedTuple):
    """Of photos: parabolas of chroma over luma, (B, 1, N) -> (B, 2, N): sums of polynomials orthogonal over the photo.

    As exact as QR, where the normal equations of plain powers lose half of the digits; and it needs no solver, which
    the graph formats lack. monochrome: whether each photo is grey or toned, its chroma hardly off the parabola,
    (B, 1, 1, 1). mean, scale: of the photo's luma, (B, 1, 1). factors: of the polynomials, (B, 2, 3), the last of
    which is x^2 - slope * x - level.
    """

    monochrome: Tensor
    mean: Tensor
    scale: Tensor
    slope: Tensor
    level: Tensor
    factors: Tensor

    def __call__(self, luma: Tensor) -> Tensor:
        line = (luma - self.mean) / self.scale
        return self.factors.matmul(_polynomials(line, self.slope, self.level))


def _polynomials(line: Tensor, slope: Tensor, level: Tensor) -> Tensor:
    """(B, 1, N) -> (B, 3, N): of degree 0, 1 and 2."""
    return torch.cat((torch.ones_like(line), line, line.square() - slope * line - level), 1)


def tone_curve(photo: Tensor) -> ToneCurve:
    """The least squares of each photo's chroma, RGB (B, 3, H, W), at a size at which noise is averaged away."""
    small = bands.to_ycc(F.adaptive_avg_pool2d(photo, CHROMA_SIDE)).flatten(2)
    luma, chroma = small[:, :1], small[:, 1:]
    mean = luma.mean(2, keepdim=True)
    deviation = (luma - mean).square().mean(2, keepdim=True).sqrt()
    scale = deviation + SMALL
    line = (luma - mean) / scale
    level = line.square().mean(2, keepdim=True)
    slope = line.pow(3).mean(2, keepdim=True) / (level + SMALL)
    basis = _polynomials(line, slope, level)
    factors = chroma.matmul(basis.mT) / (basis.square().sum(2) + SMALL)[:, None]
    residual = (factors.matmul(basis) - chroma).square().mean((1, 2), keepdim=True).sqrt()
    monochrome = (residual < MONOCHROME_RESIDUAL) & (residual < MONOCHROME_SHARE * deviation)
    return ToneCurve(monochrome[..., None], mean, scale, slope, level, factors)


def tone_like(network: Tensor, tones: ToneCurve) -> Tensor:
    """The network's face with the tones of a monochrome photo; faces from photos in colour are returned as they are.

    The network, which was shown colour photos, would tint such a face's eyes and lips.

    network: RGB (B, 3, H, W) in [-1, 1]. tones: of the photo.
    """
    luma = bands.to_luma(network)
    toned = torch.cat((luma, tones(luma.flatten(2)).unflatten(2, luma.shape[2:])), 1)
    return torch.where(tones.monochrome, bands.to_rgb(toned), network)


def as_monochrome(correction: Tensor, tones: ToneCurve) -> Tensor:
    """A correction, RGB (B, 3, H, W), without its chroma where the photo is monochrome."""
    return torch.where(tones.monochrome, bands.to_luma(correction), correction)


class FusedChange(nn.Module):
    """All that fusing computes on tensors, as one network.

    forward(photo, network, strength, *weights): images RGB (B, 3, H, W) in [-1, 1], sides multiples of 32; the share of
    what harmoniser and `with_texture` add, in [0, 1]; the photo's weights by band as in `mix` -> what is to be added to
    the photo, (B, 3, H, W), not clipped.

    Args:
        harmoniser: a DAEFRHarmoniser, or what is called like one; None: the bare mixture.
        textured: whether `with_texture` takes part.
    """

    def __init__(self, harmoniser: Callable[..., Tensor] | None, *, textured: bool = True) -> None:
        super().__init__()
        self.harmoniser = harmoniser
        self.textured = textured

    def forward(self, photo: Tensor, network: Tensor, strength: Tensor, *weights: Tensor) -> Tensor:
        tones = tone_curve(photo)
        network = tone_like(network, tones)
        result = mix(photo, network, weights)
        if self.harmoniser is not None:
            result = result + strength * as_monochrome(self.harmoniser(photo, network, result, weights), tones)
        if self.textured:
            result = torch.lerp(result, with_texture(result, photo, network, weights), strength)
        return result - photo
