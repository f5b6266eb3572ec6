"""GroupNorm, SiLU and a 3x3 convolution, trained with one kept map instead of up to four."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint


def norm_and_conv(norm: nn.GroupNorm, conv: nn.Conv2d, x: Tensor) -> Tensor:
    """conv(norm(x)), x: (B, C, H, W), for a norm that includes SiLU and a 3x3 convolution padded by one.

    For the backward pass only x is kept: what lies between is computed again, without the convolution. A network that
    torch.compile traces for a CPU is left to the compiler, which keeps more: there time is dearer than memory.
    """
    if not torch.is_grad_enabled() or (torch.compiler.is_compiling() and not x.is_cuda):
        return conv(norm(x))
    if torch.compiler.is_compiling():
        return computed_again(norm, conv, x)
    device = x.device.type
    dtype = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else x.dtype
    return _NormAndConv.apply(x, norm.weight, norm.bias, conv.weight, conv.bias, norm.num_groups, norm.eps, dtype)


def computed_again(norm: nn.Module, conv: nn.Module, x: Tensor) -> Tensor:
    """The same for the compiler, which fuses what is computed again with the backward pass."""
    return checkpoint(lambda x: conv(norm(x)), x, use_reentrant=False, preserve_rng_state=False)


class _NormAndConv(torch.autograd.Function):
    """See norm_and_conv. Norm and SiLU are at least float32, as under autocast; the convolution's type is `dtype`."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor,
        bias: Tensor,
        kernel: Tensor,
        kernel_bias: Tensor,
        groups: int,
        eps: float,
        dtype: torch.dtype,
    ) -> Tensor:
        wide = _widened(x, weight.dtype)
        batch, channels, pixels = x.shape[0], x.shape[1], x.shape[2:].numel()
        h, mean, rstd = torch.native_group_norm(wide, weight, bias, batch, channels, pixels, groups, eps)
        ctx.save_for_backward(x, weight, bias, kernel, mean, rstd)
        ctx.sizes, ctx.dtype = (batch, channels, pixels, groups), dtype
        return F.conv2d(F.silu(h, inplace=True).to(dtype), kernel.to(dtype), kernel_bias.to(dtype), padding=1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, bias, kernel, mean, rstd = ctx.saved_tensors
        channels, groups = ctx.sizes[1], ctx.sizes[3]
        wide = _widened(x, weight.dtype)
        scale = rstd.repeat_interleave(channels // groups, 1) * weight
        shift = bias - mean.repeat_interleave(channels // groups, 1) * scale
        normed = torch.addcmul(shift[..., None, None], wide, scale[..., None, None])
        needs_x, needs_weight, needs_bias, *needs_kernel = ctx.needs_input_grad[:5]
        activated = F.silu(normed) if any(needs_kernel) else x  # of a frozen kernel only the shape matters
        gradient, kernel_gradient, kernel_bias_gradient = torch.ops.aten.convolution_backward(
            *(gradient, activated.to(ctx.dtype), kernel.to(ctx.dtype), [len(kernel)]),
            *([1, 1], [1, 1], [1, 1], False, [0, 0], 1),  # stride, padding, dilation, not transposed, groups
            [needs_x or needs_weight or needs_bias, *needs_kernel],
        )
        gradients: list[Tensor | None] = [None] * 3
        if gradient is not None:
            gradient = torch.ops.aten.silu_backward(gradient.to(normed.dtype), normed, grad_input=normed)
            # x's always: without it PyTorch 2.4 crashes on channels_last maps on the CPU
            gradients = torch.ops.aten.native_group_norm_backward(
                gradient, wide, mean, rstd, weight, *ctx.sizes, [True, needs_weight, needs_bias]
            )
        inputs = (x, weight, bias, kernel, kernel)
        outputs = (*gradients, kernel_gradient, kernel_bias_gradient)
        typed = (None if g is None else g.to(of.dtype) for g, of in zip(outputs, inputs, strict=True))
        return *typed, None, None, None


def _widened(x: Tensor, dtype: torch.dtype) -> Tensor:
    """x in `dtype` at least, laid out as PyTorch's GroupNorm takes it: channels_last on the CPU only."""
    if x.device.type != 'cpu' or not x.is_contiguous(memory_format=torch.channels_last):
        x = x.contiguous()
    return x.to(torch.promote_types(x.dtype, dtype))
