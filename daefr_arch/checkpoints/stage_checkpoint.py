"""Weights of an earlier stage, from the file that an option names."""

from pathlib import Path

from torch import nn

from daefr_arch.checkpoints.checkpoint import load_part
from daefr_arch.checkpoints.official_layout import key_differences
from daefr_arch.errors import WeightsError


def load_stage_network(net: nn.Module, path: str | Path, part: str) -> None:
    """Loads a checkpoint of ours (.pth with params_ema or params, .safetensors) or an official one, strictly.

    Args:
        net: without wrappers.
        path: the file.
        part: which network to take where the file is an official checkpoint, as in load_part.

    Raises:
        WeightsError: no such file, no such part, or keys or shapes that are not those of `net`.
    """
    state_dict = load_part(path, part).state_dict
    differences = key_differences(state_dict, net.state_dict())
    if differences:
        raise WeightsError(f'{path} is not a checkpoint of {type(net).__name__} with these options: {differences}')
    net.load_state_dict(state_dict)
