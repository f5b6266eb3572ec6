"""TF32 on a CPU: the factors of every product rounded to ten bits of mantissa, the sums in float32."""

from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

_aten = torch.ops.aten
# operation -> positions of the factors
FACTORS = {
    _aten.mm.default: (0, 1),
    _aten.bmm.default: (0, 1),
    _aten.addmm.default: (1, 2),
    _aten.baddbmm.default: (1, 2),
    _aten.convolution.default: (0, 1),
}


def round_to_tf32(x: torch.Tensor) -> torch.Tensor:
    """float32 to the nearest number that TF32 holds."""
    bits = x.contiguous().view(torch.int32)
    return ((bits + 0x1000) & ~0x1FFF).view(torch.float32)


class EmulatedTF32(TorchDispatchMode):
    """Inside, float32 is multiplied as on a GPU with TF32. Not with inference_mode, which hides the products."""

    def __init__(self) -> None:
        super().__init__()
        self.products = 0

    def __torch_dispatch__(self, operation: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        rounded = list(args)
        for position in FACTORS.get(operation, ()):
            rounded[position] = round_to_tf32(args[position])
            self.products += 1
        return operation(*rounded, **(kwargs or {}))
