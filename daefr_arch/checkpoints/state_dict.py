"""What a state dict must be before any network sees it: text keys, and finite numbers of an ordinary type."""

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from daefr_arch.checkpoints.foreign_files import printable
from daefr_arch.errors import WeightsError

StateDict = dict[str, Tensor]

_FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
_WHOLE = (torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64, torch.bool)
# last parts of keys whose numbers are never whole by nature
_FRACTIONAL = ('weight', 'bias', 'running_mean', 'running_var')
_SPARE = 4  # times the bytes of the file: tensors may share them, but not without end


def checked_state_dict(content: Any, *, file_size: int) -> StateDict:
    """The tensors by key, without the wrappers' prefixes `module.` (DataParallel) and `_orig_mod.` (torch.compile).

    Args:
        content: what was read.
        file_size: bytes of the file, which bound those of the tensors.

    Raises:
        WeightsError: no mapping of text to tensors, or a tensor that holds no weights: not finite, complex, quantised,
            sparse, truncated to whole numbers, or far larger than the file.
    """
    if not isinstance(content, Mapping) or not content:
        raise WeightsError(f'expected a state dict, got {"an empty one" if content == {} else type(content).__name__}')
    claimed = 0
    for key, value in content.items():
        if not isinstance(key, str):
            raise WeightsError(f'expected a state dict with text as keys, got {printable(repr(key), 60)}')
        if not isinstance(value, Tensor):
            raise WeightsError(f'expected a state dict, got {type(value).__name__} for {printable(key, 100)!r}')
        problem = _kind_problem(key, value)
        if problem:
            raise WeightsError(f'{printable(key, 100)}: {problem}')
        claimed += value.numel() * value.element_size()
        if claimed > _SPARE * file_size:
            raise WeightsError(f'its tensors claim more than {claimed} bytes, the file has {file_size}')
    for key, value in content.items():
        if value.is_floating_point() and value.numel() and not _is_finite(value):
            raise WeightsError(f'{printable(key, 100)}: expected finite numbers, it holds NaN or infinity')
    return _unwrapped({key: value.detach() for key, value in content.items()})


def _kind_problem(key: str, value: Tensor) -> str | None:
    if value.layout != torch.strided or value.device.type != 'cpu' or value.is_nested or value.is_quantized:
        return 'expected a plain tensor, got a quantised, sparse, nested or meta one'
    if value.dtype not in (*_FLOATS, *_WHOLE):
        return f'expected real numbers of 16 to 64 bits, got {value.dtype}'
    if value.dtype in _WHOLE and key.rpartition('.')[2] in _FRACTIONAL:
        return f'expected floating-point numbers, got {value.dtype}: these weights were truncated'
    return None


def _is_finite(value: Tensor) -> bool:
    return all(map(math.isfinite, (bound.item() for bound in torch.aminmax(value))))


def _unwrapped(state_dict: StateDict) -> StateDict:
    keys = {key: _without_compile(key) for key in state_dict}
    while all(key.startswith('module.') for key in keys.values()):
        keys = {key: ours.removeprefix('module.') for key, ours in keys.items()}
    if len(set(keys.values())) < len(keys):
        raise WeightsError('expected one tensor a key, some differ in the prefix `_orig_mod.` only')
    return {keys[key]: value for key, value in state_dict.items()}


def _without_compile(key: str) -> str:
    """A compiled module, the whole network or a part of it, has its own under this name."""
    return '.'.join(part for part in key.split('.') if part != '_orig_mod')
