"""A network with some of its modules replaced, without touching the network or copying weights."""

import copy
from collections.abc import Callable

from torch import nn


def with_replaced(module: nn.Module, replacement: Callable[[nn.Module], nn.Module | None]) -> nn.Module:
    """The module, or a shallow copy of it in which modules are what `replacement` gives for them; None: as they are."""
    replaced = replacement(module)
    if replaced is not None:
        return replaced
    children = {name: with_replaced(child, replacement) for name, child in module.named_children()}
    if all(child is module._modules[name] for name, child in children.items()):
        return module
    changed = copy.copy(module)
    changed._modules = {**module._modules, **children}
    return changed
