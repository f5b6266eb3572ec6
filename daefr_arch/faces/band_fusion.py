"""Mixing a photo's face and a network's by bands (section "Evidence" of the design): tensors in, tensors out."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from daefr_arch.archs import bands

TEXTURE_BANDS = 3  # the finest ones, in which two unlike textures are mixed
LARGEST_GAIN = 1.5
SMALL = 1e-6
CHROMA_SIDE = 16  # pixels at which chroma is compared with luma
# rms of the chroma beside its curve: of images in [-1, 1], and as part of the luma's deviation
MONOCHROME_RESIDUAL, MONOCHROME_SHARE = 0.02, 0.055


def mix(photo: Tensor, network: Tensor, weights: Sequence[Tensor]) -> Tensor:
    """sum over bands of w * photo + (1 - w) * network, the energy of fine texture kept.

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
        band = of_network + bands.scaled(of_photo - of_network, weight)
        mixed.append(band * _gain(of_photo, of_network, band, weight) if level < TEXTURE_BANDS else band)
    return bands.to_rgb(bands.join(mixed))


def _gain(photo: Tensor, network: Tensor, mixed: Tensor, weight: Tensor) -> Tensor:
    """What brings the mixture of two textures, which cancel each other in part, to the energy that the weights promise.

    Of luma: chroma has little texture, and a gain would make its blotches stronger.
    """
    luma = torch.stack([bands.smooth(bands.smooth(band[:, :1].square())) for band in (photo, network, mixed)])
    share = bands.resized(weight[:, :1], photo.shape[2:])
    promised = share * luma[0] + (1 - share) * luma[1]
    gain = ((promised + SMALL) / (luma[2] + SMALL)).sqrt().clamp(1, LARGEST_GAIN)
    return torch.cat((gain, torch.ones_like(gain).expand(-1, 2, -1, -1)), 1)


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
