"""Runs the Triton kernels in Triton's interpreter, which must be chosen before Triton is imported; prints JSON.

{case: error relative to the largest value of PyTorch's float64 result}
"""

import json
import os

os.environ['TRITON_INTERPRET'] = '1'

import copy
import sys

import torch
from torch import Tensor
from torch.nn import functional as F

from daefr_arch import kernels
from daefr_arch.archs import layers
from daefr_arch.archs.layers import ResidualBlock
from daefr_arch.kernels import group_norm_silu as module

# name -> (shape, type, mean): the network's narrowest and widest maps, several chunks, no power of two, one pixel
CASES = {
    'narrow': ((1, 64, 96, 96), torch.float32, 0.0),
    'wide': ((2, 512, 8, 8), torch.float32, 0.0),
    'odd': ((2, 96, 13, 7), torch.float32, 0.0),
    'one pixel': ((3, 64, 1, 1), torch.float32, 0.0),
    'far from zero': ((1, 64, 40, 40), torch.float32, 1000.0),
    'float16': ((2, 128, 16, 16), torch.float16, 2.0),
    'bfloat16': ((2, 128, 16, 16), torch.bfloat16, 2.0),
}


def norm_error(shape: tuple[int, ...], dtype: torch.dtype, mean: float, *, pre_bias: bool) -> float:
    """Of group_norm_silu."""
    x = (torch.randn(shape) + mean).to(dtype).contiguous(memory_format=torch.channels_last)
    weight, bias, added = (torch.randn(shape[1]).to(dtype) for _ in range(3))
    result = module.group_norm_silu(x, weight, bias, 32, 1e-6, added if pre_bias else None)
    assert result.dtype == dtype
    assert result.is_contiguous(memory_format=torch.channels_last)
    exact = x.double() + (added.double()[:, None, None] if pre_bias else 0)
    return relative(result, F.silu(F.group_norm(exact, 32, weight.double(), bias.double(), 1e-6)))


def block_error(in_channels: int, out_channels: int) -> float:
    """Of a residual block on the kernels, whose convolutions leave their biases to them."""
    block = ResidualBlock(in_channels, out_channels).eval().to(memory_format=torch.channels_last)
    x = torch.randn(2, in_channels, 12, 10).contiguous(memory_format=torch.channels_last)
    layers.can_fuse = lambda x: True
    kernels_ran = []
    original = module.add_residual_
    module.add_residual_ = lambda *tensors: kernels_ran.append(1) or original(*tensors)
    with torch.no_grad():
        fused = block(x)
        layers.can_fuse = kernels.can_fuse
        expected = copy.deepcopy(block).double()(x.double())
    module.add_residual_ = original
    assert kernels_ran
    return relative(fused, expected)


def relative(result: Tensor, expected: Tensor) -> float:
    """The largest difference over the largest value."""
    return float((result.double() - expected).abs().max() / expected.abs().max())


def main() -> None:
    """Prints the errors."""
    torch.manual_seed(0)
    errors = {f'{name}, bias {given}': norm_error(*CASES[name], pre_bias=given) for name in CASES for given in (0, 1)}
    errors |= {'block, same channels': block_error(32, 32), 'block, more channels': block_error(32, 64)}
    errors['self-check'] = module.largest_error(torch.device('cpu'))
    sys.stdout.write(json.dumps(errors))


if __name__ == '__main__':
    main()
