"""Tells whether parameters changed."""

import hashlib
from collections.abc import Iterable

import torch
from torch import nn


def parameter_hash(modules: Iterable[nn.Module]) -> str:
    """SHA-256 over names, parameters and buffers of the modules: equal before and after for what stayed frozen."""
    digest = hashlib.sha256()
    for module in modules:
        for name, value in module.state_dict().items():
            digest.update(name.encode())
            digest.update(value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
