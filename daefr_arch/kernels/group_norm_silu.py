"""GroupNorm and SiLU of channels_last maps in two passes, and a residual with a bias in one (Triton).

The statistics are sums of differences to the first pixel of each channel, in float32: no digits are lost where the mean
is far from zero. Needs Triton; see daefr_arch.kernels for when it is used.
"""

import torch
import triton
import triton.language as tl
from torch import Tensor
from torch.nn import functional as F

TILE = 8192  # elements that a program holds at a time
MOST_CHUNKS = 256  # of an image in the statistics pass
WARPS = 8


@triton.jit
def _chunk_sums(x, sums, squares, pixels, channels, chunk, BLOCK: tl.constexpr, CHANNELS: tl.constexpr):
    """Sums (B, chunks, C) over the pixels of a chunk: of the differences to the channel's first pixel, of squares."""
    image, index = tl.program_id(1), tl.program_id(0)
    x += image.to(tl.int64) * pixels * channels
    c = tl.arange(0, CHANNELS)
    pivot = tl.load(x + c, mask=c < channels, other=0).to(tl.float32)
    total = tl.zeros([BLOCK, CHANNELS], tl.float32)
    square = tl.zeros([BLOCK, CHANNELS], tl.float32)
    end = tl.minimum(index * chunk + chunk, pixels)
    for first in range(index * chunk, end, BLOCK):
        p = first + tl.arange(0, BLOCK)
        mask = (p < end)[:, None] & (c < channels)[None, :]
        value = tl.load(x + p[:, None] * channels + c[None, :], mask=mask, other=0).to(tl.float32)
        difference = tl.where(mask, value - pivot[None, :], 0.0)
        total += difference
        square += difference * difference
    place = (image * tl.num_programs(0) + index) * channels + c
    tl.store(sums + place, tl.sum(total, 0), mask=c < channels)
    tl.store(squares + place, tl.sum(square, 0), mask=c < channels)


@triton.jit
def _scale_and_shift(
    x,
    sums,
    squares,
    weight,
    bias,
    pre_bias,
    scale,
    shift,
    pixels,
    channels,
    chunks,
    width,
    eps,
    HAS_PRE_BIAS: tl.constexpr,
    CHUNKS: tl.constexpr,
    WIDTH: tl.constexpr,
):
    """Scale and shift (B, C) float32 that normalise a channel; a program takes a group of `width` channels."""
    image, group = tl.program_id(1), tl.program_id(0)
    k, j = tl.arange(0, CHUNKS), tl.arange(0, WIDTH)
    inside = j < width
    c = group * width + j
    place = (image * chunks + k)[:, None] * channels + c[None, :]
    mask = (k < chunks)[:, None] & inside[None, :]
    difference = tl.sum(tl.load(sums + place, mask=mask, other=0), 0) / pixels
    square = tl.sum(tl.load(squares + place, mask=mask, other=0), 0) / pixels
    pivot = tl.load(x + image.to(tl.int64) * pixels * channels + c, mask=inside, other=0).to(tl.float32)
    added = tl.zeros([WIDTH], tl.float32)
    if HAS_PRE_BIAS:
        added = tl.load(pre_bias + c, mask=inside, other=0).to(tl.float32)
    mean = pivot + difference + added
    group_mean = tl.sum(tl.where(inside, mean, 0.0), 0) / width
    deviation = mean - group_mean
    variance = square - difference * difference + deviation * deviation
    group_variance = tl.sum(tl.where(inside, variance, 0.0), 0) / width
    factor = tl.load(weight + c, mask=inside, other=0).to(tl.float32) / tl.sqrt(group_variance + eps)
    offset = tl.load(bias + c, mask=inside, other=0).to(tl.float32) + (added - group_mean) * factor
    tl.store(scale + image * channels + c, factor, mask=inside)
    tl.store(shift + image * channels + c, offset, mask=inside)


@triton.jit
def _normalise_silu(x, out, scale, shift, pixels, channels, BLOCK: tl.constexpr, CHANNELS: tl.constexpr):
    image = tl.program_id(1)
    start = image.to(tl.int64) * pixels * channels
    c = tl.arange(0, CHANNELS)
    p = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    factor = tl.load(scale + image * channels + c, mask=c < channels, other=0)
    offset = tl.load(shift + image * channels + c, mask=c < channels, other=0)
    place = start + p[:, None] * channels + c[None, :]
    mask = (p < pixels)[:, None] & (c < channels)[None, :]
    value = tl.load(x + place, mask=mask, other=0).to(tl.float32) * factor[None, :] + offset[None, :]
    tl.store(out + place, (value * tl.sigmoid(value)).to(out.dtype.element_ty), mask=mask)


@triton.jit
def _add_residual(h, bias, residual, elements, channels, BLOCK: tl.constexpr):
    place = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    mask = place < elements
    value = tl.load(h + place, mask=mask, other=0).to(tl.float32)
    value += tl.load(bias + place % channels, mask=mask, other=0).to(tl.float32)
    value += tl.load(residual + place, mask=mask, other=0).to(tl.float32)
    tl.store(h + place, value.to(h.dtype.element_ty), mask=mask)


def group_norm_silu(
    x: Tensor, weight: Tensor, bias: Tensor, groups: int, eps: float, pre_bias: Tensor | None = None
) -> Tensor:
    """silu(group_norm(x + pre_bias)) for x (B, C, H, W) in channels_last; weight, bias, pre_bias: (C,).

    Statistics and arithmetic are float32; the result has x's type and layout.
    """
    with torch.cuda.device_of(x):  # else Triton launches on the current device
        return _group_norm_silu(x, weight, bias, groups, eps, pre_bias)


def _group_norm_silu(
    x: Tensor, weight: Tensor, bias: Tensor, groups: int, eps: float, pre_bias: Tensor | None
) -> Tensor:
    images, channels, height, width = x.shape
    pixels = height * width
    padded_channels = triton.next_power_of_2(channels)
    block = max(1, TILE // padded_channels)
    chunks = min(MOST_CHUNKS, triton.cdiv(pixels, block))
    chunk = triton.cdiv(pixels, chunks)
    sums, squares = x.new_empty((2, images, chunks, channels), dtype=torch.float32)
    scale, shift = x.new_empty((2, images, channels), dtype=torch.float32)
    tile = {'BLOCK': block, 'CHANNELS': padded_channels, 'num_warps': WARPS}
    _chunk_sums[(chunks, images)](x, sums, squares, pixels, channels, chunk, **tile)
    _scale_and_shift[(groups, images)](
        *(x, sums, squares, weight, bias, weight if pre_bias is None else pre_bias, scale, shift),
        *(pixels, channels, chunks, channels // groups, eps),
        HAS_PRE_BIAS=pre_bias is not None,
        CHUNKS=triton.next_power_of_2(chunks),
        WIDTH=triton.next_power_of_2(channels // groups),
    )
    out = torch.empty_like(x)
    _normalise_silu[(triton.cdiv(pixels, block), images)](x, out, scale, shift, pixels, channels, **tile)
    return out


def add_residual_(h: Tensor, bias: Tensor, residual: Tensor) -> Tensor:
    """h + bias + residual, in place of h: (B, C, H, W) in channels_last, bias (C,)."""
    residual = residual.contiguous(memory_format=torch.channels_last)
    block = 1024
    with torch.cuda.device_of(h):
        _add_residual[(triton.cdiv(h.numel(), block),)](h, bias, residual, h.numel(), h.shape[1], BLOCK=block)
    return h


def largest_error(device: torch.device) -> float:
    """How far the kernels are from PyTorch in float64, relative to the largest value, on a map of awkward size."""
    generator = torch.Generator().manual_seed(0)
    x, residual = (torch.randn(2, 96, 37, 41, generator=generator) + 5 for _ in range(2))
    weight, bias, pre_bias = (torch.randn(96, generator=generator) for _ in range(3))
    on_device = [t.to(device).contiguous(memory_format=torch.channels_last) for t in (x.clone(), residual)]
    vectors = [t.to(device) for t in (weight, bias, pre_bias)]
    normed = group_norm_silu(on_device[0], vectors[0], vectors[1], 32, 1e-6, vectors[2])
    added = add_residual_(on_device[0], vectors[2], on_device[1])
    exact = (x + pre_bias[:, None, None]).double()
    expected = F.silu(F.group_norm(exact, 32, weight.double(), bias.double(), 1e-6))
    errors = (
        (normed.cpu() - expected).abs().max() / expected.abs().max(),
        (added.cpu() - exact - residual).abs().max() / exact.abs().max(),
    )
    return float(max(errors))
