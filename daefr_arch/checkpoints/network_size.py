"""A network is never larger than the file that it is built for, whatever the file says about it."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn
from torch.nn.modules.module import (
    register_module_buffer_registration_hook,
    register_module_parameter_registration_hook,
)

from daefr_arch.errors import WeightsError

_SPARE_TENSORS = 1000
_SPARE_NUMBERS = 1 << 24  # of tables that are computed and not saved


@contextmanager
def no_larger_than(state_dict: Mapping[str, Tensor]) -> Iterator[None]:
    """Inside, building a network stops with a WeightsError once it has several times the tensors of the state dict.

    A file that differs a little is told apart by its keys; this is for one that claims ten million layers.
    """
    most_tensors = 4 * len(state_dict) + _SPARE_TENSORS
    most_numbers = 4 * sum(value.numel() for value in state_dict.values()) + _SPARE_NUMBERS
    thread, tensors, numbers = threading.get_ident(), 0, 0

    def count(module: nn.Module, name: str, value: Any) -> None:
        nonlocal tensors, numbers
        if value is None or threading.get_ident() != thread:  # the hooks see what other threads build, too
            return
        tensors, numbers = tensors + 1, numbers + value.numel()
        if tensors > most_tensors or numbers > most_numbers:
            raise WeightsError(
                f'its options describe a network of more than {tensors - 1} tensors with {numbers} numbers, '
                f'the file has {len(state_dict)} tensors'
            )

    hooks = [register_module_parameter_registration_hook(count), register_module_buffer_registration_hook(count)]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
