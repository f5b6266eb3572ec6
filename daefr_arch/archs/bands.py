"""Frequency bands of face images, luma and chroma, and how much energy lies where in them.

The bands are a Laplacian pyramid (Burt and Adelson, 1983) with the kernel (1, 3, 3, 1), whose samples lie between
those of the finer level, so that pixels stay centred: band 0 has the image's size, each further band half of that, and
the rest is what is left after LEVELS bands.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

LEVELS = 5  # of 256 pixels: bands of 256, 128, 64, 32 and 16 pixels, a rest of 8
MAPS = LEVELS + 1  # maps of evidence, the rest's among them
SMALLEST_SIDE = 2**LEVELS
FEATURES = 2  # the band, of 64 pixels a side, in which eyes, nose and mouth have their shapes
FLOOR = 2e-5  # energy that rounding to 8 bits and invisible texture have, of images in [-1, 1]
_LUMA = (0.299, 0.587, 0.114)  # BT.601, as JPEG
_CB, _CR = 0.5 / (1 - _LUMA[2]), 0.5 / (1 - _LUMA[0])


def to_luma(image: Tensor) -> Tensor:
    """RGB (B, 3, H, W) -> Y of BT.601, (B, 1, H, W), in the same range."""
    red, green, blue = image.split(1, 1)
    return _LUMA[0] * red + _LUMA[1] * green + _LUMA[2] * blue


def to_ycc(image: Tensor) -> Tensor:
    """RGB (B, 3, H, W) -> Y, Cb, Cr of BT.601, in the same range; chroma is about 0."""
    red, _, blue = image.split(1, 1)
    luma = to_luma(image)
    return torch.cat((luma, (blue - luma) * _CB, (red - luma) * _CR), 1)


def to_rgb(image: Tensor) -> Tensor:
    """The inverse of `to_ycc`."""
    luma, cb, cr = image.unbind(1)
    red, blue = luma + cr / _CR, luma + cb / _CB
    return torch.stack((red, (luma - _LUMA[0] * red - _LUMA[2] * blue) / _LUMA[1], blue), 1)


def _bordered(image: Tensor) -> Tensor:
    """Repeats the pixels at the border, (B, C, H, W) -> (B, C, H + 2, W + 2).

    Joined and not padded: the gradient of padding by repetition cannot be compiled for channels_last tensors.
    """
    image = torch.cat((image[:, :, :1], image, image[:, :, -1:]), 2)
    return torch.cat((image[..., :1], image, image[..., -1:]), 3)


def shrink(image: Tensor) -> Tensor:
    """(B, C, H, W), H and W even -> half of the size, low-pass filtered."""
    channels = image.shape[1]
    taps = torch.tensor((1.0, 3.0, 3.0, 1.0), dtype=image.dtype, device=image.device) / 8
    kernel = torch.outer(taps, taps).expand(channels, 1, 4, 4)
    return F.conv2d(_bordered(image), kernel, stride=2, groups=channels)


def expand(image: Tensor) -> Tensor:
    """(B, C, H, W) -> twice the size; the transpose of `shrink`, but for its scale and the border."""
    return F.interpolate(image, scale_factor=2, mode='bilinear', align_corners=False)


def split(image: Tensor) -> list[Tensor]:
    """(B, C, H, W), sides multiples of SMALLEST_SIDE -> LEVELS bands from fine to coarse, and the rest.

    Raises:
        ValueError: a side is no multiple of SMALLEST_SIDE.
    """
    if any(side % SMALLEST_SIDE or not side for side in image.shape[2:]):
        raise ValueError(f'expected sides that are multiples of {SMALLEST_SIDE}, got an image {tuple(image.shape)}')
    bands = []
    for _ in range(LEVELS):
        coarse = shrink(image)
        bands.append(image - expand(coarse))
        image = coarse
    return [*bands, image]


def join(bands: Sequence[Tensor]) -> Tensor:
    """The image of `split`'s bands."""
    image = bands[-1]
    for band in reversed(bands[:-1]):
        image = expand(image) + band
    return image


def smooth(image: Tensor) -> Tensor:
    """The mean in a triangular window of five pixels a side, (B, C, H, W) -> same."""
    for _ in range(2):
        image = F.avg_pool2d(image, 3, stride=1, padding=1, count_include_pad=False)
    return image


def soften(image: Tensor) -> Tensor:
    """(1, 2, 1) / 4 along rows and columns, (B, C, H, W) -> same: the finest frequency goes, that of half is halved."""
    channels = image.shape[1]
    taps = torch.tensor((1.0, 2.0, 1.0), dtype=image.dtype, device=image.device) / 4
    kernel = torch.outer(taps, taps).expand(channels, 1, 3, 3)
    return F.conv2d(_bordered(image), kernel, groups=channels)


def upper_half(image: Tensor) -> Tensor:
    """What `soften` takes: the finer half of the finest band, (B, C, H, W) -> same."""
    return image - soften(image)


def local_energy(bands: Sequence[Tensor]) -> list[Tensor]:
    """Mean square of luma and of chroma in the neighbourhood of each place.

    bands: of `split`, of Y, Cb, Cr (B, 3, h, w). Returns maps (B, 2, h, w) of luma and chroma (the sum of Cb's and
    Cr's), those of band 0 at half of its size.
    """
    maps = []
    for level, band in enumerate(bands):
        square = band.square()
        energy = torch.cat((square[:, :1], square[:, 1:].sum(1, keepdim=True)), 1)
        maps.append(smooth(F.avg_pool2d(energy, 2) if level == 0 else energy))
    return maps


def log_error_ratio(photo: Tensor, truth: Tensor) -> list[Tensor]:
    """Log of the local energy of photo minus truth over that of the truth, by band: the smaller, the more is evidence.

    photo, truth: RGB (B, 3, H, W) in [-1, 1]. Returns maps like `local_energy`. The rest's mean over the image is
    exposure and tone, not face: it counts as error, but not as what the error is measured by. Where neither has
    energy, as the chroma of grey photos, all is evidence.
    """
    error = local_energy(split(to_ycc(photo - truth)))
    bands = split(to_ycc(truth))
    energy = local_energy([*bands[:-1], bands[-1] - bands[-1].mean((2, 3), keepdim=True)])
    return [((e + FLOOR / 100) / (t + FLOOR)).log() for e, t in zip(error, energy, strict=True)]


def resized(weight: Tensor, size: Sequence[int]) -> Tensor:
    """A map (B, C, h, w) at another size, bilinear."""
    if tuple(weight.shape[2:]) == tuple(size):
        return weight
    return F.interpolate(weight, size=tuple(size), mode='bilinear', align_corners=False)


def scaled(band: Tensor, weight: Tensor) -> Tensor:
    """A band (B, 3, h, w) of Y, Cb, Cr times a map (B, 2, h', w') of weights of luma and chroma."""
    return band * resized(weight, band.shape[2:])[:, (0, 1, 1)]
