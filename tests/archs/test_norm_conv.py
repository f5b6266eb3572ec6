import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from daefr_arch.archs.layers import GroupNormSiLU
from daefr_arch.archs.norm_conv import _widened, computed_again, norm_and_conv

CHANNELS = 32


def layers(seed: int = 0, dtype: torch.dtype = torch.float32) -> tuple[GroupNormSiLU, nn.Conv2d, Tensor]:
    torch.manual_seed(seed)
    norm, conv = GroupNormSiLU(CHANNELS).to(dtype), nn.Conv2d(CHANNELS, 48, 3, padding=1).to(dtype)
    nn.init.normal_(norm.weight)
    nn.init.normal_(norm.bias)
    return norm, conv, torch.randn(2, CHANNELS, 6, 7, dtype=dtype) + 1


def test_gradients_are_those_of_the_parts() -> None:
    norm, conv, x = layers(dtype=torch.float64)
    parameters = (x.requires_grad_(), *norm.parameters(), *conv.parameters())
    ours, plain = norm_and_conv(norm, conv, x), conv(norm(x))
    torch.testing.assert_close(ours, plain)
    for gradient, expected in zip(
        torch.autograd.grad(ours.square().sum(), parameters),
        torch.autograd.grad(plain.square().sum(), parameters),
        strict=True,
    ):
        torch.testing.assert_close(gradient, expected)


@pytest.mark.parametrize('layout', [torch.contiguous_format, torch.channels_last])
def test_under_autocast_norm_and_silu_are_float32(layout: torch.memory_format) -> None:
    norm, conv, x = layers()
    x = x.bfloat16().contiguous(memory_format=layout).requires_grad_()
    with torch.autocast('cpu', dtype=torch.bfloat16):
        normed = F.group_norm(x.float(), norm.num_groups, norm.weight, norm.bias, norm.eps)
        ours, plain = norm_and_conv(norm, conv, x), conv(F.silu(normed))
    assert ours.dtype == torch.bfloat16
    assert torch.equal(ours, plain)
    parameters = (x, *norm.parameters(), *conv.parameters())
    for gradient, expected, parameter in zip(
        torch.autograd.grad(ours.float().square().sum(), parameters),
        torch.autograd.grad(plain.float().square().sum(), parameters),
        parameters,
        strict=True,
    ):
        assert gradient.dtype == parameter.dtype
        torch.testing.assert_close(gradient, expected, rtol=0.02, atol=0.02 * expected.abs().max().item())


@pytest.mark.parametrize('layout', [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize('trained', ['x', 'norm', 'conv', 'nothing'])
def test_what_is_frozen_gets_no_gradient(trained: str, layout: torch.memory_format) -> None:
    norm, conv, x = layers()
    x = x.contiguous(memory_format=layout)
    norm.requires_grad_(trained == 'norm')
    conv.requires_grad_(trained == 'conv')
    x.requires_grad_(trained == 'x')
    result = norm_and_conv(norm, conv, x)
    assert result.requires_grad == (trained != 'nothing')
    if result.requires_grad:
        result.sum().backward()
    for name, tensors in {'x': [x], 'norm': norm.parameters(), 'conv': conv.parameters()}.items():
        assert all((tensor.grad is not None) == (name == trained) for tensor in tensors)


def kept_maps(norm: GroupNormSiLU, conv: nn.Conv2d, x: Tensor, function) -> int:
    """How many tensors of x's number of values the backward pass keeps, x itself among them."""
    kept = {}
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.update({t.data_ptr(): t}) or t, lambda t: t):
        function(norm, conv, x).sum().backward()
    return sum(tensor.numel() == x.numel() for tensor in kept.values())


def test_one_map_is_kept() -> None:
    norm, conv, x = layers()
    x.requires_grad_()
    assert kept_maps(norm, conv, x, norm_and_conv) == 1
    assert kept_maps(norm, conv, x, lambda norm, conv, x: conv(norm(x))) > 1


@pytest.mark.parametrize(('function', 'maps'), [(computed_again, 1), (norm_and_conv, 2)])
def test_compiled_it_is_one_graph(function, maps: int) -> None:
    """As on a GPU, and as on this CPU."""
    norm, conv, x = layers()
    x.requires_grad_()
    compiled = torch.compile(lambda norm, conv, x: function(norm, conv, x).sin(), fullgraph=True)
    torch.testing.assert_close(compiled(norm, conv, x), conv(norm(x)).sin())
    assert kept_maps(norm, conv, x, compiled) == maps


def test_group_norm_gets_the_layout_that_its_device_takes() -> None:
    """PyTorch's GPU kernels read memory in the order of NCHW, whatever the strides say."""
    x = torch.empty(2, CHANNELS, 6, 7, dtype=torch.bfloat16).contiguous(memory_format=torch.channels_last)
    assert _widened(x, torch.float32).is_contiguous(memory_format=torch.channels_last)
    elsewhere = _widened(x.to('meta'), torch.float32)
    assert elsewhere.is_contiguous()
    assert elsewhere.dtype == torch.float32
