"""The whole network: two encoders, fusion, code prediction, HQ decoder (Sec. 3.3)."""

import math
from collections.abc import Sequence
from typing import Literal, NamedTuple

import torch
from basicsr.utils.registry import ARCH_REGISTRY
from pydantic import NonNegativeInt, PositiveInt
from torch import Tensor, nn

from daefr_arch.archs.autoencoder import Decoder, Encoder, Levels, quant_conv
from daefr_arch.archs.fusion import Fusion, LQControl, build_fusion
from daefr_arch.archs.layers import (
    GroupedChannels,
    Resampling,
    TransformerLayer,
    check_image_batch,
    nan_unless_finite,
    to_tokens,
)
from daefr_arch.archs.quantizer import VectorQuantizer

ENCODERS = ('dual', 'hq', 'lq')
POSITION_EMBEDDINGS = ('learned', 'sine')


class Prediction(NamedTuple):
    """logits: (B, r * r, N) over the HQ codes, row-major; fused_feature and lq_feature: (B, d, r, r), the latter None
    without LQ encoder."""

    logits: Tensor
    fused_feature: Tensor
    lq_feature: Tensor | None

    def mark(self, restored: Tensor) -> Tensor:
        """The faces (B, 3, R, R) that were decoded from it; NaN where it is not finite, of which argmax makes codes."""
        return nan_unless_finite(restored, *(part for part in self if part is not None))


def sine_position_embedding(side: int, channels: int) -> Tensor:
    """Sinusoidal embedding of a square grid (Carion et al., ECCV 2020): (side^2, channels), half for y, half for x."""
    if channels % 4:
        raise ValueError(f'expected a width that is a multiple of 4 for sine positions, got {channels}')
    place = torch.arange(1, side + 1, dtype=torch.float32) / side * 2 * math.pi
    frequency = 10000 ** (-torch.arange(channels // 4, dtype=torch.float32) / (channels // 4))
    angle = place[:, None] * frequency
    axis = torch.stack([angle.sin(), angle.cos()], 2).flatten(1)  # (side, channels / 2)
    rows = axis[:, None].expand(side, side, -1)
    columns = axis[None].expand(side, side, -1)
    return torch.cat([rows, columns], 2).flatten(0, 1)


@ARCH_REGISTRY.register()
class DAEFR(nn.Module):
    """Dual Associated Encoder for Face Restoration (Tsai et al., ICLR 2024); the defaults are the paper's sizes.

    forward: degraded faces (B, 3, R, R) in [-1, 1], RGB -> (restored (B, 3, R, R), logits (B, r * r, N),
    fused_feature (B, d, r, r)). A face whose features or logits are not finite is NaN.

    Args:
        resolution: side R of the faces in pixels; this and all up to quant_convs are DAEFRCodebook's.
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
        dim_embd: width of the transformer.
        n_head: its heads.
        n_layers: its layers.
        dim_mlp: width of its MLPs.
        fusion: 'mhca' (as released: Eq. 9 with norms and a residual), 'mhca_ffn' (that and Eq. 10), 'paper' (Eq. 9 and
            10 to the letter) or 'linear' (Table 2 (d)).
        fusion_heads: heads of the cross-attention.
        position_embedding: 'learned' (as released) or 'sine' (the paper).
        encoders: 'dual', or one of 'hq' and 'lq' alone, then without fusion (Table 2 (a), (b)).
        lq_control: adds the LQ codebook and the control module of appendix C.

    Raises ValueError or TypeError for unknown modes and for images of another size, channel count or dtype.
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
        dim_embd: PositiveInt = 512,
        n_head: PositiveInt = 8,
        n_layers: NonNegativeInt = 9,
        dim_mlp: PositiveInt = 1024,
        fusion: Fusion = 'mhca',
        fusion_heads: PositiveInt = 8,
        position_embedding: Literal['learned', 'sine'] = 'learned',
        encoders: Literal['dual', 'hq', 'lq'] = 'dual',
        lq_control: bool = False,
    ) -> None:
        super().__init__()
        if encoders not in ENCODERS:
            raise ValueError(f'expected encoders to be one of {ENCODERS}, got {encoders!r}')
        if position_embedding not in POSITION_EMBEDDINGS:
            raise ValueError(
                f'expected position_embedding to be one of {POSITION_EMBEDDINGS}, got {position_embedding!r}'
            )
        if lq_control and encoders == 'hq':
            raise ValueError("lq_control needs the LQ encoder: expected encoders 'dual' or 'lq', got 'hq'")
        self.resolution = resolution
        self.latent_size = resolution >> (len(ch_mult) - 1)
        sizes = (resolution, ch, ch_mult, num_res_blocks, attn_resolutions, z_channels, mid_blocks, resampling)
        self.hq_encoder = Encoder(*sizes) if encoders != 'lq' else None
        self.hq_quant_conv = quant_conv(z_channels, embed_dim, quant_convs) if encoders != 'lq' else None
        self.lq_encoder = Encoder(*sizes) if encoders != 'hq' else None
        self.lq_quant_conv = quant_conv(z_channels, embed_dim, quant_convs) if encoders != 'hq' else None
        self.fusion = build_fusion(fusion, embed_dim, fusion_heads) if encoders == 'dual' else None
        if position_embedding == 'learned':
            self.position_embedding = nn.Parameter(torch.zeros(self.latent_size**2, dim_embd))
        else:
            position = sine_position_embedding(self.latent_size, dim_embd)
            self.register_buffer('position_embedding', position, persistent=False)
        self.feat_embedding = nn.Linear(embed_dim, dim_embd)
        self.transformer = nn.ModuleList(TransformerLayer(dim_embd, n_head, dim_mlp) for _ in range(n_layers))
        self.code_head = nn.Sequential(nn.LayerNorm(dim_embd), nn.Linear(dim_embd, codebook_size, bias=False))
        self.codebook = VectorQuantizer(codebook_size, embed_dim)
        self.post_quant_conv = quant_conv(embed_dim, z_channels, quant_convs)
        self.decoder = Decoder(*sizes)
        self.lq_codebook = VectorQuantizer(codebook_size, embed_dim) if lq_control else None
        self.lq_control = LQControl(embed_dim) if lq_control else None

    def encode(self, x: Tensor) -> tuple[Tensor | None, Tensor | None]:
        """Faces (B, 3, R, R) -> features of the HQ and of the LQ encoder, each (B, d, r, r), None where left out."""
        encoder = next(encoder for encoder in (self.hq_encoder, self.lq_encoder) if encoder is not None)
        check_image_batch(x, 3, self.resolution, encoder.conv_in.weight)
        hq_feature = lq_feature = None
        if self.hq_encoder is not None and self.hq_quant_conv is not None:
            hq_feature = self.hq_quant_conv(self.hq_encoder(x))
        if self.lq_encoder is not None and self.lq_quant_conv is not None:
            lq_feature = self.lq_quant_conv(self.lq_encoder(x))
        return hq_feature, lq_feature

    def predict(self, x: Tensor) -> Prediction:
        """Faces (B, 3, R, R) -> Prediction: what the training of Eq. 6 needs, without the decoder."""
        return self.predict_codes(*self.encode(x))

    def predict_codes(self, hq_feature: Tensor | None, lq_feature: Tensor | None) -> Prediction:
        """The features of `encode` -> Prediction."""
        if self.fusion is not None:
            fused = self.fusion(hq_feature, lq_feature)
        else:
            fused = hq_feature if hq_feature is not None else lq_feature
        tokens = self.feat_embedding(to_tokens(fused))
        for layer in self.transformer:
            tokens = layer(tokens, self.position_embedding)
        return Prediction(self.code_head(tokens), fused, lq_feature)

    def decode(self, indices: Tensor, lq_feature: Tensor | None = None, s_lq: float | None = None) -> Tensor:
        """HQ code indices (B, r * r), row-major -> faces (B, 3, R, R), about [-1, 1], RGB.

        s_lq in [0, 1] scales the LQ codes' part (appendix C) where the network has the control module; None and 0
        leave it out.
        """
        codes = self.codebook.lookup(indices, self.latent_size, self.latent_size)
        if s_lq:
            if self.lq_control is None or self.lq_codebook is None or lq_feature is None:
                raise ValueError('s_lq needs a network with the control module (lq_control: true)')
            codes = self.lq_control(codes, self.lq_codebook(lq_feature).codes.to(codes.dtype), s_lq)
        return self.decoder(self.post_quant_conv(codes))

    def forward(
        self, x: Tensor, s_lq: float | None = None, code_only: bool = False
    ) -> tuple[Tensor | None, Tensor, Tensor]:
        """See the class; with `code_only` the decoder does not run and restored is None (training stage 3)."""
        prediction = self.predict(x)
        logits, fused, lq_feature = prediction
        restored = None if code_only else prediction.mark(self.decode(logits.argmax(2), lq_feature, s_lq))
        return restored, logits, fused
