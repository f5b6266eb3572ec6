"""The discriminator of the adversarial loss (Eq. 2)."""

from basicsr.utils.registry import ARCH_REGISTRY
from pydantic import PositiveInt
from torch import Tensor, nn

from daefr_arch.archs.layers import check_image_batch


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d):
        nn.init.normal_(module.weight, 0.0, 0.02)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)
        nn.init.zeros_(module.bias)


@ARCH_REGISTRY.register()
class DAEFRPatchDiscriminator(nn.Module):
    """PatchGAN of pix2pix (Isola et al., CVPR 2017): 4x4 convolutions, BatchNorm, LeakyReLU 0.2, N(0, 0.02) init.

    forward: images (B, in_channels, H, W) in [-1, 1], RGB -> logits (B, 1, H', W'), one a patch
    (70x70 pixels with three levels). Raises ValueError or TypeError for another channel count or dtype.

    Args:
        in_channels: channels of the images.
        ch: channels of the first level; they double at each level, up to eight times.
        num_layers: number of strided levels.
    """

    def __init__(self, in_channels: PositiveInt = 3, ch: PositiveInt = 64, num_layers: PositiveInt = 3) -> None:
        super().__init__()
        self.in_channels = in_channels
        layers: list[nn.Module] = [nn.Conv2d(in_channels, ch, 4, stride=2, padding=1), nn.LeakyReLU(0.2, inplace=True)]
        channels = ch
        for level in range(1, num_layers + 1):
            out_channels = ch * min(2**level, 8)
            stride = 2 if level < num_layers else 1
            layers += [
                nn.Conv2d(channels, out_channels, 4, stride=stride, padding=1, bias=False),
                nn.BatchNorm2d(out_channels),
                nn.LeakyReLU(0.2, inplace=True),
            ]
            channels = out_channels
        layers.append(nn.Conv2d(channels, 1, 4, stride=1, padding=1))
        self.main = nn.Sequential(*layers)
        self.apply(_initialise)

    def forward(self, x: Tensor) -> Tensor:
        check_image_batch(x, self.in_channels, None, next(self.parameters()))
        return self.main(x)
