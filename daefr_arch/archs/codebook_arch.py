"""The autoencoder of the codebook and association stages (Sec. 3.1 and 3.2)."""

import inspect
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from basicsr.utils.registry import ARCH_REGISTRY
from pydantic import PositiveInt
from torch import Tensor, nn

from daefr_arch.archs.autoencoder import Decoder, Encoder, Levels, quant_conv
from daefr_arch.archs.layers import GroupedChannels, Resampling, check_image_batch
from daefr_arch.archs.quantizer import VectorQuantizer


class CodebookOutput(NamedTuple):
    """reconstruction: (B, 3, R, R); feature Z and codes Z^c: (B, d, r, r); indices: (B, r * r) int64, row-major;
    last_feature: (B, ch, R, R), what the decoder's last convolution takes, without gradient, in training only."""

    reconstruction: Tensor
    feature: Tensor
    codes: Tensor
    indices: Tensor
    last_feature: Tensor | None = None


@ARCH_REGISTRY.register()
class DAEFRCodebook(nn.Module):
    """Vector-quantised autoencoder of one domain, HQ or LQ (Sec. 3.1, Table 5).

    forward: image batch (B, 3, R, R) in [-1, 1], RGB -> CodebookOutput.

    Args:
        resolution: side R of the images in pixels, a multiple of 2^(levels - 1).
        ch: channels of the first level.
        ch_mult: each level's multiple of them.
        num_res_blocks: residual blocks a level of the encoder (the decoder has one more).
        attn_resolutions: sides of the levels with self-attention.
        z_channels: channels of the encoder's output.
        embed_dim: channels of the codes.
        codebook_size: number N of codes.
        mid_blocks: residual block, attention, residual block at the lowest resolution (as released); Table 5 has none.
        resampling: 'strided' (strided convolution down, nearest and convolution up, as released) or 'bilinear', with a
            convolution, both ways (Table 5).
        quant_convs: 1x1 convolutions before and after the codebook (as released); Table 5 has none.

    Raises ValueError or TypeError for images of another size, channel count or dtype.
    """

    def __init__(
        self,
        resolution: PositiveInt = 512,
        ch: GroupedChannels = 64,
        ch_mult: Levels = (1, 2, 2, 4, 4, 8),
        num_res_blocks: PositiveInt = 2,
        attn_resolutions: Sequence[PositiveInt] = (16,),
        z_channels: PositiveInt = 256,
        embed_dim: PositiveInt = 256,
        codebook_size: PositiveInt = 1024,
        mid_blocks: bool = True,
        resampling: Resampling = 'strided',
        quant_convs: bool = True,
    ) -> None:
        super().__init__()
        self.resolution = resolution
        sizes = (resolution, ch, ch_mult, num_res_blocks, attn_resolutions, z_channels, mid_blocks, resampling)
        self.encoder = Encoder(*sizes)
        self.quant_conv = quant_conv(z_channels, embed_dim, quant_convs)
        self.codebook = VectorQuantizer(codebook_size, embed_dim)
        self.post_quant_conv = quant_conv(embed_dim, z_channels, quant_convs)
        self.decoder = Decoder(*sizes)

    def encode(self, x: Tensor) -> Tensor:
        """Image batch (B, 3, R, R) in [-1, 1], RGB -> feature Z (B, d, r, r), not quantised."""
        check_image_batch(x, 3, self.resolution, self.encoder.conv_in.weight)
        return self.quant_conv(self.encoder(x))

    def decode(self, feature: Tensor) -> Tensor:
        """Quantised feature (B, d, r, r) -> image batch (B, 3, R, R), about [-1, 1], RGB."""
        return self.decoder(self.post_quant_conv(feature))

    def forward(self, x: Tensor) -> CodebookOutput:
        feature = self.encode(x)
        quantized = self.codebook(feature)
        last_feature = self.decoder.last_feature(self.post_quant_conv(quantized.straight_through))
        return CodebookOutput(
            self.decoder.conv_out(last_feature),
            feature,
            quantized.codes,
            quantized.indices,
            last_feature.detach() if self.training else None,
        )


def autoencoder_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """Options of the DAEFRCodebook whose parts a network of these options has: the sizes that both take."""
    sizes = inspect.signature(DAEFRCodebook).parameters
    return {'type': DAEFRCodebook.__name__, **{key: options[key] for key in sizes if key in options}}
