"""The network that mends what mixing by bands leaves: veils, blotches, double contours, noise."""

from collections.abc import Sequence
from typing import Annotated

import torch
from basicsr.utils.registry import ARCH_REGISTRY
from pydantic import Field, NonNegativeInt, PositiveInt
from torch import Tensor, nn
from torch.nn import functional as F

from daefr_arch.archs.bands import FEATURES, MAPS, expand, join, resized, soften, split, to_luma, upper_half
from daefr_arch.archs.layers import check_image_batch

FEATURES_SHOWN = (0.4, 0.8)  # weights of the features between which a face's gains set in: a guess keeps its bands
RAISED_BANDS = 3  # the finest ones
DRAWN = 3 * 2 * 2  # what is drawn of each 2x2 pixels
GAINS = 2 * (RAISED_BANDS + 1)  # of the photo's bands and its upper half, and of the network's
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
    """How far a face's finest bands of luma are to be raised or lowered, by a few numbers a face.

    Of what blur has weakened the rest is still in its place: raised it is nearer to the face than anything drawn, and
    the network's texture, which lies elsewhere, has to go for it. How much is first a matter of the camera: it follows
    from the energies of the bands and from the mean of the evidence. Untrained all gains are 0.

    forward(bands, weights): those of `_finest_bands`, of the photo and then of the network; the photo's weights by band
    -> (B, GAINS, 1, 1).

    Args:
        width: of the hidden layer.
    """

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        self.hidden = nn.Linear(GAINS + 2 * MAPS, width)
        self.last = nn.Linear(width, GAINS)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)

    def forward(self, bands: Sequence[Tensor], weights: Sequence[Tensor]) -> Tensor:
        energies = [(band.square().mean((1, 2, 3)) + LEAST_ENERGY).log()[:, None] for band in bands]
        shown = [weight.float().logit(LEAST_WEIGHT).mean((2, 3)) for weight in weights]
        return self.last(self.hidden(torch.cat((*energies, *shown), 1) / SCALE).tanh())[..., None, None]


def _finest_bands(image: Tensor) -> list[Tensor]:
    """The RAISED_BANDS finest bands of luma of RGB (B, 3, H, W), and the upper half of the finest."""
    luma = to_luma(image.float())
    return [*split(luma)[:RAISED_BANDS], upper_half(luma)]


@ARCH_REGISTRY.register()
class DAEFRHarmoniser(nn.Module):
    """What to add to a mixture of a photo and a network's face.

    forward(photo, network, mixture, weights): images (B, 3, H, W), RGB in [-1, 1], sides multiples of 32 (trained at
    256); the photo's weights by band, maps (B, 2, h, w) in [0, 1] -> correction (B, 3, H, W). Where all weights are 1
    the photo shows all, and the correction is 0. Untrained it is 0 everywhere.

    It is the sum of what is drawn, which is soft, and of the finest bands of both images times gains, which have one
    part for the face (FaceGains) and one for each place: fine lines stay where they are in one of the images.

    It sees no feature of the restoration network, so that any can stand behind it.

    Args:
        channels: at H/2, H/4, H/8, H/16.
        blocks: of each, on the way down. The deepest add to those at H/8, untrained nothing: what of a face is where is
            seen at H/16 in the whole of it.
    """

    def __init__(
        self,
        channels: Annotated[Sequence[PositiveInt], Field(min_length=4, max_length=4)] = (32, 48, 96, 128),
        blocks: Annotated[Sequence[NonNegativeInt], Field(min_length=4, max_length=4)] = (1, 2, 3, 3),
    ) -> None:
        super().__init__()
        fine, middle, coarse, deep = channels
        self.conv_in = nn.Conv2d(4 * 9 + 2 * MAPS, fine, 3, padding=1)
        self.fine = nn.Sequential(*(DAEFRHarmoniserBlock(fine) for _ in range(blocks[0])))
        self.down1 = nn.Conv2d(fine, middle, 3, 2, padding=1)
        self.encoder = nn.Sequential(*(DAEFRHarmoniserBlock(middle) for _ in range(blocks[1])))
        self.down2 = nn.Conv2d(middle, coarse, 3, 2, padding=1)
        self.middle = nn.Sequential(*(DAEFRHarmoniserBlock(coarse) for _ in range(blocks[2])))
        self.down3 = nn.Conv2d(coarse, deep, 3, 2, padding=1)
        self.deep = nn.Sequential(*(DAEFRHarmoniserBlock(deep) for _ in range(blocks[3])))
        self.up3 = nn.Conv2d(deep, coarse, 1)
        nn.init.zeros_(self.up3.weight)
        nn.init.zeros_(self.up3.bias)  # type: ignore[arg-type]
        self.up2 = nn.Conv2d(coarse, middle, 1)
        self.decoder = DAEFRHarmoniserBlock(middle)
        self.up1 = nn.Conv2d(middle, fine, 1)
        self.last = DAEFRHarmoniserBlock(fine)
        self.conv_out = nn.Conv2d(fine, DRAWN + GAINS, 3, padding=1)
        nn.init.zeros_(self.conv_out.weight)
        nn.init.zeros_(self.conv_out.bias)  # type: ignore[arg-type]
        self.gains = FaceGains()

    def forward(self, photo: Tensor, network: Tensor, mixture: Tensor, weights: Sequence[Tensor]) -> Tensor:
        for image in (photo, network, mixture):
            check_image_batch(image, 3, None, self.conv_in.weight)
        half = (photo.shape[2] // 2, photo.shape[3] // 2)
        maps = torch.cat([resized(weight, half) for weight in weights], 1)
        missing = 1 - maps.amin(1, keepdim=True) ** GATE_POWER
        out = self._unet(torch.cat((photo, network - photo, mixture), 1), maps) * missing
        # softened, nothing is left of the chequerboard that pixel shuffling can make
        drawn = soften(F.pixel_shuffle(out[:, :DRAWN], 2))
        with torch.autocast(photo.device.type, enabled=False):
            return drawn + self._raised(photo, network, weights, out[:, DRAWN:].float(), missing.float())

    def _unet(self, images: Tensor, maps: Tensor) -> Tensor:
        """(B, 9, H, W), (B, 2 * MAPS, H/2, W/2) -> (B, DRAWN + GAINS, H/2, W/2)."""
        fine = self.fine(F.relu(self.conv_in(torch.cat((F.pixel_unshuffle(images, 2), maps * 2 - 1), 1))))
        middle = self.encoder(F.relu(self.down1(fine)))
        coarse = self.middle(F.relu(self.down2(middle)))
        coarse = coarse + expand(self.up3(F.relu(self.deep(F.relu(self.down3(coarse))))))
        middle = self.decoder(F.relu(expand(self.up2(coarse)) + middle))
        fine = self.last(F.relu(expand(self.up1(middle)) + fine))
        return self.conv_out(F.relu(fine))

    def _raised(
        self, photo: Tensor, network: Tensor, weights: Sequence[Tensor], local: Tensor, missing: Tensor
    ) -> Tensor:
        """The finest bands times their gains, (B, 1, H, W): the same is added to red, green and blue.

        local: gains by place, (B, GAINS, H/2, W/2); missing: (B, 1, H/2, W/2) in [0, 1], where the photo lacks
        something.
        """
        of_photo, of_network = _finest_bands(photo), _finest_bands(network)
        least, most = FEATURES_SHOWN
        features = ((weights[FEATURES][:, :1].float() - least) / (most - least)).clamp(0, 1)
        of_face = self.gains([*of_photo, *of_network], weights)
        gains = (local + missing * resized(features, local.shape[2:]) * of_face).split(1, 1)
        *raised, upper = (
            band * resized(gain, band.shape[2:]) + other * resized(other_gain, band.shape[2:])
            for band, other, gain, other_gain in zip(
                of_photo, of_network, gains[: RAISED_BANDS + 1], gains[RAISED_BANDS + 1 :], strict=True
            )
        )
        return join(raised) + upper
