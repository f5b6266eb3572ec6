"""A discriminator of textures, for the harmonising network."""

import torch
from basicsr.utils.registry import ARCH_REGISTRY
from pydantic import PositiveInt
from torch import Tensor, nn

from daefr_arch.archs.bands import expand, split, to_luma, upper_half
from daefr_arch.archs.layers import check_image_batch

SLOPE = 0.2  # of the leaky ReLUs
# to about 1: the finer half of the finest band, and that band; the next one by less, as invention there costs more
AMPLIFIED = (10.0, 8.0, 2.0)


@ARCH_REGISTRY.register()
class DAEFRTextureDiscriminator(nn.Module):
    """A patch discriminator that sees the finest bands of luma alone, amplified to about 1.

    Of whole images nearly all energy is shape and colour, and what texture lacks is learned very late. No layer
    normalises: how strong a texture is tells most of all. forward: images (B, 3, H, W) in [-1, 1], RGB, sides multiples
    of 32 -> logits (B, 1, H', W'), one a patch of 34x34 pixels. Raises ValueError or TypeError for another batch.

    Args:
        ch: channels of the first level, doubled at each of the two others.
    """

    def __init__(self, ch: PositiveInt = 16) -> None:
        super().__init__()
        self.main = nn.Sequential(
            nn.Conv2d(len(AMPLIFIED), ch, 4, stride=2, padding=1),
            nn.LeakyReLU(SLOPE),
            nn.Conv2d(ch, 2 * ch, 4, stride=2, padding=1),
            nn.LeakyReLU(SLOPE),
            nn.Conv2d(2 * ch, 4 * ch, 4, padding=1),
            nn.LeakyReLU(SLOPE),
            nn.Conv2d(4 * ch, 1, 4, padding=1),
        )
        for layer in self.main:
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, a=SLOPE)

    def forward(self, x: Tensor) -> Tensor:
        check_image_batch(x, 3, None, next(self.parameters()))
        luma = to_luma(x)
        fine, middle, *_ = split(luma)
        textures = (upper_half(luma), fine, expand(middle))
        return self.main(torch.cat([band * factor for band, factor in zip(textures, AMPLIFIED, strict=True)], 1))
