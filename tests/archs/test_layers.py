import pytest
import torch
from torch import nn
from torch.nn import functional as F

from daefr_arch.archs.layers import (
    AttentionBlock,
    BilinearDownsample,
    BilinearUpsample,
    Downsample,
    GroupNormSiLU,
    MultiHeadAttention,
    Upsample,
    to_map,
    to_tokens,
)
from daefr_arch.archs.quantizer import VectorQuantizer


def test_attention_equals_torch():
    torch.manual_seed(0)
    ours, reference = MultiHeadAttention(32, 4), nn.MultiheadAttention(32, 4, batch_first=True)
    with torch.no_grad():
        reference.in_proj_weight.copy_(torch.cat([ours.q.weight, ours.k.weight, ours.v.weight]))
        reference.in_proj_bias.copy_(torch.cat([ours.q.bias, ours.k.bias, ours.v.bias]))
        reference.out_proj.weight.copy_(ours.proj_out.weight)
        reference.out_proj.bias.copy_(ours.proj_out.bias)
    query, key, value = (torch.randn(2, 9, 32) for _ in range(3))
    torch.testing.assert_close(ours(query, key, value), reference(query, key, value)[0])


def test_cross_attention_takes_its_query_from_the_other_input():
    torch.manual_seed(0)
    block = AttentionBlock(32, heads=4, cross=True)
    x, other = torch.randn(1, 32, 3, 3), torch.randn(1, 32, 3, 3)
    with torch.no_grad():
        block.attention.v.weight.zero_()  # constant values: only the residual on x is left to vary
        block.attention.v.bias.zero_()
        constant = block.attention.proj_out.bias
        torch.testing.assert_close(block(x, other), x + constant[:, None, None])
    with pytest.raises(ValueError, match='two inputs'):
        block(x)


def test_tokens_are_row_major():
    feature = torch.arange(6.0).view(1, 1, 2, 3)
    assert to_tokens(feature).flatten().tolist() == [0, 1, 2, 3, 4, 5]
    assert torch.equal(to_map(to_tokens(feature), 2, 3), feature)


def test_norm_and_downsample_against_plain_torch():
    torch.manual_seed(0)
    x = torch.randn(2, 32, 8, 8)
    norm = GroupNormSiLU(32)
    torch.testing.assert_close(norm(x), F.silu(F.group_norm(x, 32, norm.weight, norm.bias, 1e-6)))
    down = Downsample(32)
    padded = torch.zeros(2, 32, 9, 9)
    padded[:, :, :8, :8] = x
    torch.testing.assert_close(down(x), F.conv2d(padded, down.conv.weight, down.conv.bias, stride=2))


def test_upsample_and_its_folded_form_equal_interpolation_and_convolution():
    torch.manual_seed(0)
    up, x = Upsample(8).double(), torch.randn(2, 8, 5, 6, dtype=torch.float64, requires_grad=True)
    expected = up.conv(F.interpolate(x, scale_factor=2, mode='nearest'))
    torch.testing.assert_close(up(x), expected)
    torch.testing.assert_close(up.folded()(x), expected)
    parameters = (x, up.conv.weight, up.conv.bias)
    for ours, plain in zip(
        torch.autograd.grad(up(x).square().sum(), parameters),
        torch.autograd.grad(expected.square().sum(), parameters),
        strict=True,
    ):
        torch.testing.assert_close(ours, plain)


def test_bilinear_resampling_equals_interpolation_and_convolution():
    torch.manual_seed(0)
    x = torch.randn(2, 8, 6, 10)
    down, up = BilinearDownsample(8), BilinearUpsample(8)
    half, double = (F.interpolate(x, scale_factor=factor, mode='bilinear') for factor in (0.5, 2.0))
    torch.testing.assert_close(down(x), F.conv2d(half, down.conv_after.weight, down.conv_after.bias, padding=1))
    torch.testing.assert_close(up(x), F.conv2d(double, up.conv_after.weight, up.conv_after.bias, padding=1))


def test_quantizer_finds_the_nearest_codes():
    torch.manual_seed(0)
    quantizer = VectorQuantizer(50, 8)
    nn.init.normal_(quantizer.embedding.weight)
    feature = torch.randn(2, 8, 3, 4, requires_grad=True)
    quantized = quantizer(feature)
    vectors = feature.detach().permute(0, 2, 3, 1).reshape(-1, 8)
    expected = torch.cdist(vectors.double(), quantizer.embedding.weight.double()).argmin(1)
    assert torch.equal(quantized.indices, expected.view(2, 12))
    torch.testing.assert_close(quantized.straight_through, quantized.codes)
    quantized.straight_through.sum().backward()
    assert torch.equal(feature.grad, torch.ones_like(feature))  # straight through
    with pytest.raises(ValueError, match='expected 12 indices'):
        quantizer.lookup(quantized.indices[:, :5], 3, 4)
