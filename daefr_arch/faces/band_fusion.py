"""Mixing a photo's face and a network's by bands (section "Evidence" of the design): tensors in, tensors out."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from daefr_arch.archs import bands

LARGEST_GAIN = 4.0  # of texture
SOFTER = 0.2  # where features are evidence, the energy that the network lacks of faces: its texture is soft
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


def corrected(mixture: Tensor, correction: Tensor, weights: Sequence[Tensor]) -> Tensor:
    """A mixture and the harmoniser's correction of it, whose finest band counts as far as features are evidence.

    Where the face is a guess, the correction of fine texture is to smooth it: the mean of all faces that fit has none.
    Arguments and result are like those of `mix`.
    """
    finest = correction - bands.expand(bands.shrink(correction))
    guess = 1 - bands.resized(weights[bands.FEATURES][:, :1], correction.shape[2:])
    return mixture + correction - guess * finest


def with_texture(image: Tensor, photo: Tensor, network: Tensor, weights: Sequence[Tensor]) -> Tensor:
    """An image mixed of photo and network, the energy of its finest texture brought to what the weights promise.

    What is corrected for the mean error loses texture. The energy that the finer half of the finest band of luma lacks
    is put in by scaling what is there, which is in its place; where the photo shows all, nothing changes. That half is
    what sharpness is seen by, and the least that can be wrong. Arguments and result are like those of `mix`.
    """
    own, of_photo, of_network = (bands.upper_half(bands.to_ycc(each)[:, :1]) for each in (image, photo, network))
    share, likeness = (bands.resized(weights[band][:, :1], own.shape[2:]) for band in (0, bands.FEATURES))
    energy, *parts = (bands.smooth(bands.smooth(each.square())) for each in (own, of_photo, of_network))
    promised = share * parts[0] + (1 - share) * (1 + SOFTER * likeness) * parts[1]
    gain = ((promised + SMALL) / (energy + SMALL)).sqrt().clamp(1, LARGEST_GAIN)
    return image + own * (gain - 1) * (1 - share)


def tone_like(network: Tensor, photo: Tensor) -> Tensor:
    """The network's face with the tones of a monochrome photo; faces from photos in colour are returned as they are.

    A photo is monochrome, grey or toned, where its chroma follows from its luma (a parabola of it), at a size at which
    noise is averaged away. The network, which was shown colour photos, would tint such a face's eyes and lips.

    network, photo: RGB (B, 3, H, W) in [-1, 1].
    """
    ycc = bands.to_ycc(photo)
    monochrome, curve = _tone_curve(ycc)
    luma = bands.to_ycc(network)[:, :1]
    toned = torch.cat((luma, _parabola(luma.flatten(2)).matmul(curve).mT.unflatten(2, luma.shape[2:])), 1)
    return torch.where(monochrome[:, None, None, None], bands.to_rgb(toned), network)


def _tone_curve(ycc: Tensor) -> tuple[Tensor, Tensor]:
    """Whether each photo (B, 3, H, W) is monochrome, and the parabola (B, 3, 2) of its chroma over its luma."""
    small = F.adaptive_avg_pool2d(ycc, CHROMA_SIDE).flatten(2)
    powers, chroma = _parabola(small[:, :1]), small[:, 1:].mT
    curve = torch.linalg.lstsq(powers, chroma).solution
    residual = (powers.matmul(curve) - chroma).square().mean((1, 2)).sqrt()
    return (residual < MONOCHROME_RESIDUAL) & (residual < MONOCHROME_SHARE * small[:, 0].std(1)), curve


def _parabola(luma: Tensor) -> Tensor:
    """(B, 1, N) -> powers (B, N, 3) of the luma."""
    flat = luma[:, 0]
    return torch.stack((torch.ones_like(flat), flat, flat.square()), 2)
