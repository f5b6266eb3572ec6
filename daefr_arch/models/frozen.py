"""Networks that take part in a stage without learning."""

from torch import nn


def freeze(*modules: nn.Module) -> None:
    """Puts the modules in eval mode and takes their parameters out of training."""
    for module in modules:
        module.requires_grad_(False).eval()
