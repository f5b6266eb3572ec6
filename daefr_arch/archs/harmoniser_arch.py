"""The network that mends what mixing by bands leaves: veils, blotches, double contours, noise."""

from collections.abc import Sequence
from typing import Annotated

import torch
from basicsr.utils.registry import ARCH_REGISTRY
from pydantic import Field, NonNegativeInt, PositiveInt
from torch import Tensor, nn
from torch.nn import functional as F

from daefr_arch.archs.bands import FEATURES, MAPS, expand, join, resized, soften, split, to_ycc, upper_half
from daefr_arch.archs.layers import check_image_batch

FEATURES_SHOWN = (0.4, 0.8)  # weights of the features between which the gains set in: a guess keeps its bands
RAISED_BANDS = 3  # the finest ones
LEAST_ENERGY, LEAST_WEIGHT = 1e-7, 1e-4  # of which a logarithm is taken
SCALE = 4.0  # of those
GATE_POWER = 4  # the correction fades only where nearly all is evidence: a weight of 0.9 leaves a third of it


class DAEFRHarmoniserBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut, without norms, (B, C, H, W) -> same."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv2(F.relu(self.conv1(x)))


class FaceGains(nn.Module):
    """Raises the photo's finest bands of luma, and lowers the network's, by a few numbers a face.

    Of what blur has weakened the rest is still in its place: raised it is nearer to the face than anything drawn, and
    the network's texture, which lies elsewhere, has to go for it. How much is a matter of the camera, not of the place:
    it follows from the energies of the bands and from the mean of the evidence. Untrained all gains are 0.

    forward(photo, network, weights, missing): see DAEFRHarmoniser; missing: (B, 1, h, w) in [0, 1], where the photo
    lacks something -> (B, 1, H, W), to be added to red, green and blue.

    Args:
        width: of the hidden layer.
    """

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        # of the photo, the network, and the upper half of the photo's finest band, which lies on both sides of it
        self.hidden = nn.Linear(2 * (RAISED_BANDS + 1) + 1 + 2 * MAPS, width)
        self.last = nn.Linear(width, 2 * RAISED_BANDS + 1)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)

    def forward(self, photo: Tensor, network: Tensor, weights: Sequence[Tensor], missing: Tensor) -> Tensor:
        with torch.autocast(photo.device.type, enabled=False):
            luma, other = (to_ycc(image.float())[:, :1] for image in (photo, network))
            upper = upper_half(luma)
            bands, other_bands = (split(each)[: RAISED_BANDS + 1] for each in (luma, other))
            gains = self._gains([*bands, *other_bands, upper], weights)[..., None, None].split(1, 1)
            raised = [
                band * gain + other_band * other_gain
                for band, gain, other_band, other_gain in zip(
                    bands[:-1], gains, other_bands, gains[RAISED_BANDS:], strict=False
                )
            ]
            total = join([*raised, torch.zeros_like(bands[-1])]) + upper * gains[-1]
            least, most = FEATURES_SHOWN
            features = ((weights[FEATURES][:, :1].float() - least) / (most - least)).clamp(0, 1)
            return resized(missing.float(), total.shape[2:]) * resized(features, total.shape[2:]) * total

    def _gains(self, bands: Sequence[Tensor], weights: Sequence[Tensor]) -> Tensor:
        """(B, 2 * RAISED_BANDS + 1): of the photo's bands from fine to coarse, of the network's, of the upper half."""
        energies = [(band.square().mean((1, 2, 3)) + LEAST_ENERGY).log()[:, None] for band in bands]
        shown = [weight.float().logit(LEAST_WEIGHT).mean((2, 3)) for weight in weights]
        return self.last(self.hidden(torch.cat((*energies, *shown), 1) / SCALE).tanh())


@ARCH_REGISTRY.register()
class DAEFRHarmoniser(nn.Module):
    """What to add to a mixture of a photo and a network's face.

    forward(photo, network, mixture, weights): images (B, 3, H, W), RGB in [-1, 1], sides multiples of 32 (trained at
    256); the photo's weights by band, maps (B, 2, h, w) in [0, 1] -> correction (B, 3, H, W). Where all weights are 1
    the photo shows all, and the correction is 0. Untrained it is 0 everywhere.

    It is the sum of what is drawn and of gains of the finest bands, see FaceGains.

    It sees no feature of the restoration network, so that any can stand behind it.

    Args:
        channels: at H/2, H/4, H/8.
        blocks: at H/4 on the way down, and at H/8.
    """

    def __init__(
        self,
        channels: Annotated[Sequence[PositiveInt], Field(min_length=3, max_length=3)] = (32, 48, 96),
        blocks: Annotated[Sequence[NonNegativeInt], Field(min_length=2, max_length=2)] = (2, 3),
    ) -> None:
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
        self.gains = FaceGains()

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
        # softened, nothing is left of the chequerboard that pixel shuffling can make
        drawn = soften(F.pixel_shuffle(self.conv_out(F.relu(fine)) * missing, 2))
        return drawn + self.gains(photo, network, weights, missing)
