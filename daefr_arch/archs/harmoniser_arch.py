"""The network that mends what mixing by bands leaves: veils, blotches, double contours, noise."""

from collections.abc import Sequence

import torch
from basicsr.utils.registry import ARCH_REGISTRY
from torch import Tensor, nn
from torch.nn import functional as F

from daefr_arch.archs.bands import MAPS, expand, resized
from daefr_arch.archs.layers import check_image_batch

GATE_POWER = 4  # the correction fades only where nearly all is evidence: a weight of 0.9 leaves a third of it


class DAEFRHarmoniserBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut, without norms, (B, C, H, W) -> same."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv2(F.relu(self.conv1(x)))


@ARCH_REGISTRY.register()
class DAEFRHarmoniser(nn.Module):
    """What to add to a mixture of a photo and a network's face.

    forward(photo, network, mixture, weights): images (B, 3, H, W), RGB in [-1, 1], sides multiples of 8 (trained at
    256); the photo's weights by band, maps (B, 2, h, w) in [0, 1] -> correction (B, 3, H, W). Where all weights are 1
    the photo shows all, and the correction is 0. Untrained it is 0 everywhere.

    It sees no feature of the restoration network, so that any can stand behind it.

    Args:
        channels: at H/2, H/4, H/8.
        blocks: at H/4 on the way down, and at H/8.
    """

    def __init__(self, channels: Sequence[int] = (32, 48, 96), blocks: Sequence[int] = (2, 3)) -> None:
        super().__init__()
        fine, middle, coarse = channels
        self.conv_in = nn.Conv2d(4 * 9 + 2 * MAPS, fine, 3, padding=1)
        self.down1 = nn.Conv2d(fine, middle, 3, 2, padding=1)
        self.encoder = nn.Sequential(*(DAEFRHarmoniserBlock(middle) for _ in range(blocks[0])))
        self.down2 = nn.Conv2d(middle, coarse, 3, 2, padding=1)
        self.middle = nn.Sequential(*(DAEFRHarmoniserBlock(coarse) for _ in range(blocks[1])))
        self.up2 = nn.Conv2d(coarse, middle, 1)
        self.decoder = DAEFRHarmoniserBlock(middle)
        self.up1 = nn.Conv2d(middle, fine, 1)
        self.last = DAEFRHarmoniserBlock(fine)
        self.conv_out = nn.Conv2d(fine, 12, 3, padding=1)
        nn.init.zeros_(self.conv_out.weight)
        nn.init.zeros_(self.conv_out.bias)  # type: ignore[arg-type]

    def forward(self, photo: Tensor, network: Tensor, mixture: Tensor, weights: Sequence[Tensor]) -> Tensor:
        for image in (photo, network, mixture):
            check_image_batch(image, 3, None, self.conv_in.weight)
        half = (photo.shape[2] // 2, photo.shape[3] // 2)
        maps = torch.cat([resized(weight, half) for weight in weights], 1)
        images = torch.cat((photo, network - photo, mixture), 1)
        fine = F.relu(self.conv_in(torch.cat((F.pixel_unshuffle(images, 2), maps * 2 - 1), 1)))
        middle = self.encoder(F.relu(self.down1(fine)))
        coarse = self.middle(F.relu(self.down2(middle)))
        middle = self.decoder(F.relu(expand(self.up2(coarse)) + middle))
        fine = self.last(F.relu(expand(self.up1(middle)) + fine))
        missing = 1 - maps.amin(1, keepdim=True) ** GATE_POWER
        return blur(F.pixel_shuffle(self.conv_out(F.relu(fine)) * missing, 2))


def blur(image: Tensor) -> Tensor:
    """(1, 2, 1) along rows and columns: nothing is left of the chequerboard that pixel shuffling can make."""
    channels = image.shape[1]
    taps = torch.tensor((1.0, 2.0, 1.0), dtype=image.dtype, device=image.device) / 4
    kernel = torch.outer(taps, taps).expand(channels, 1, 3, 3)
    return F.conv2d(F.pad(image, (1, 1, 1, 1), mode='replicate'), kernel, groups=channels)
