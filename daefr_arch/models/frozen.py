"""Networks that take part in a stage without learning."""

import hashlib
from collections.abc import Iterable

import torch
from torch import nn


def freeze(*modules: nn.Module) -> None:
    """Puts the modules in eval mode and takes their parameters out of training."""
    for module in modules:
        module.requires_grad_(False).eval()


def parameter_hash(modules: Iterable[nn.Module]) -> str:
    """SHA-256 over names, parameters and buffers of the modules: equal before and after for what stayed frozen."""
    digest = hashlib.sha256()
    for module in modules:
        for name, value in module.state_dict().items():
            digest.update(name.encode())
            digest.update(value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
