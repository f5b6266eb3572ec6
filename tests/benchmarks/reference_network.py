"""The network written plainly from the paper (Sec. 3, Table 5), as slow as the official structure: the baseline.

float32 in NCHW, GroupNorm and x * sigmoid(x) apart, attention by products and softmax, code lookup by one-hot products,
and the third encoder: the frozen HQ one, whose nearest codes are the training's targets, runs in inference too.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from daefr_arch.archs.daefr_arch import DAEFR


class ReferenceNetwork:
    """forward of a DAEFR with the weights of `network` (dual encoders, 'mhca' fusion, without control).

    call: faces (B, 3, R, R) in [-1, 1], RGB -> (restored (B, 3, R, R), logits (B, r * r, N)).
    """

    def __init__(self, network: DAEFR) -> None:
        self.weights = {name: value.detach().contiguous() for name, value in network.state_dict().items()}
        self.levels = len(network.decoder.up)
        self.heads = network.transformer[0].attention.heads
        self.fusion_heads = network.fusion.attention.heads

    @torch.no_grad()
    def __call__(self, x: Tensor) -> tuple[Tensor, Tensor]:
        hq_feature = self._conv('hq_quant_conv', self._encoder('hq_encoder', x))
        lq_feature = self._conv('lq_quant_conv', self._encoder('lq_encoder', x))
        target = self._conv('hq_quant_conv', self._encoder('hq_encoder', x))
        self._lookup(self._nearest(target), target.shape)
        tokens = self._linear('feat_embedding', _tokens(self._fuse(hq_feature, lq_feature)))
        layers = sorted({name.split('.')[1] for name in self.weights if name.startswith('transformer.')}, key=int)
        for layer in layers:
            tokens = self._transformer_layer(f'transformer.{layer}', tokens)
        tokens = self._layer_norm('code_head.0', tokens)
        logits = tokens @ self.weights['code_head.1.weight'].t()
        codes = self._lookup(logits.softmax(2).argmax(2), lq_feature.shape)
        return self._decoder(self._conv('post_quant_conv', codes)), logits

    def _encoder(self, name: str, x: Tensor) -> Tensor:
        h = self._conv(f'{name}.conv_in', x)
        for level in range(self.levels):
            h = self._level(f'{name}.down.{level}', h)
            if level < self.levels - 1:
                h = self._conv(f'{name}.down.{level}.resample.conv', F.pad(h, (0, 1, 0, 1)), stride=2, padding=0)
        return self._conv(f'{name}.conv_out', _swish(self._norm(f'{name}.norm_out', self._middle(f'{name}.mid', h))))

    def _decoder(self, feature: Tensor) -> Tensor:
        h = self._middle('decoder.mid', self._conv('decoder.conv_in', feature))
        for level in reversed(range(self.levels)):
            h = self._level(f'decoder.up.{level}', h)
            if level:
                h = self._conv(f'decoder.up.{level}.resample.conv', F.interpolate(h, scale_factor=2.0, mode='nearest'))
        return self._conv('decoder.conv_out', _swish(self._norm('decoder.norm_out', h)))

    def _level(self, name: str, h: Tensor) -> Tensor:
        block = 0
        while f'{name}.block.{block}.norm1.weight' in self.weights:
            h = self._residual_block(f'{name}.block.{block}', h)
            if f'{name}.attn.{block}.norm1.weight' in self.weights:
                h = self._attention_block(f'{name}.attn.{block}', h)
            block += 1
        return h

    def _middle(self, name: str, h: Tensor) -> Tensor:
        h = self._attention_block(f'{name}.attn_1', self._residual_block(f'{name}.block_1', h))
        return self._residual_block(f'{name}.block_2', h)

    def _residual_block(self, name: str, x: Tensor) -> Tensor:
        h = self._conv(f'{name}.conv1', _swish(self._norm(f'{name}.norm1', x)))
        h = self._conv(f'{name}.conv2', _swish(self._norm(f'{name}.norm2', h)))
        if f'{name}.shortcut.weight' in self.weights:
            x = self._conv(f'{name}.shortcut', x)
        return x + h

    def _attention_block(self, name: str, x: Tensor) -> Tensor:
        tokens = _tokens(self._norm(f'{name}.norm1', x))
        return x + _map(self._attention(f'{name}.attention', tokens, tokens, tokens, heads=1), x.shape)

    def _fuse(self, hq_feature: Tensor, lq_feature: Tensor) -> Tensor:
        """Eq. 9: the LQ feature asks, the HQ feature answers."""
        context = _tokens(self._norm('fusion.norm1', hq_feature))
        query = _tokens(self._norm('fusion.norm2', lq_feature))
        attended = self._attention('fusion.attention', query, context, context, heads=self.fusion_heads)
        return hq_feature + _map(attended, hq_feature.shape)

    def _transformer_layer(self, name: str, tokens: Tensor) -> Tensor:
        value = self._layer_norm(f'{name}.norm1', tokens)
        query = value + self.weights['position_embedding']
        tokens = tokens + self._attention(f'{name}.attention', query, query, value, heads=self.heads)
        hidden = F.gelu(self._linear(f'{name}.linear1', self._layer_norm(f'{name}.norm2', tokens)))
        return tokens + self._linear(f'{name}.linear2', hidden)

    def _attention(self, name: str, query: Tensor, key: Tensor, value: Tensor, *, heads: int) -> Tensor:
        q, k, v = (
            self._linear(f'{name}.{part}', x).unflatten(2, (heads, -1)).transpose(1, 2)
            for part, x in (('q', query), ('k', key), ('v', value))
        )
        scores = (q @ k.transpose(2, 3) * q.shape[3] ** -0.5).softmax(3)
        return self._linear(f'{name}.proj_out', (scores @ v).transpose(1, 2).flatten(2))

    def _nearest(self, feature: Tensor) -> Tensor:
        """Eq. 1."""
        vectors, codes = _tokens(feature), self.weights['codebook.embedding.weight']
        distances = vectors.square().sum(2, keepdim=True) + codes.square().sum(1) - 2 * vectors @ codes.t()
        return distances.argmin(2)

    def _lookup(self, indices: Tensor, shape: torch.Size) -> Tensor:
        codes = self.weights['codebook.embedding.weight']
        return _map(F.one_hot(indices, len(codes)).float() @ codes, shape)

    def _conv(self, name: str, x: Tensor, *, stride: int = 1, padding: int | None = None) -> Tensor:
        weight = self.weights[f'{name}.weight']
        padding = weight.shape[2] // 2 if padding is None else padding
        return F.conv2d(x, weight, self.weights[f'{name}.bias'], stride, padding)

    def _linear(self, name: str, x: Tensor) -> Tensor:
        return F.linear(x, self.weights[f'{name}.weight'], self.weights[f'{name}.bias'])

    def _norm(self, name: str, x: Tensor) -> Tensor:
        return F.group_norm(x, 32, self.weights[f'{name}.weight'], self.weights[f'{name}.bias'], eps=1e-6)

    def _layer_norm(self, name: str, x: Tensor) -> Tensor:
        return F.layer_norm(x, x.shape[-1:], self.weights[f'{name}.weight'], self.weights[f'{name}.bias'])


def _swish(x: Tensor) -> Tensor:
    return x * torch.sigmoid(x)


def _tokens(feature: Tensor) -> Tensor:
    """(B, C, H, W) -> (B, H * W, C)."""
    return feature.flatten(2).transpose(1, 2).contiguous()


def _map(tokens: Tensor, shape: torch.Size) -> Tensor:
    """(B, H * W, C) -> (B, C, H, W) of `shape`'s height and width."""
    return tokens.transpose(1, 2).unflatten(2, shape[2:]).contiguous()
