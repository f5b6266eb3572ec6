"""Weights of an earlier stage, from the file that an option names."""

import logging
from pathlib import Path

from torch import nn

from daefr_arch.checkpoints.checkpoint import load_part
from daefr_arch.checkpoints.official_layout import key_differences
from daefr_arch.errors import WeightsError

_logger = logging.getLogger('basicsr')  # the log of the training run


def load_stage_network(
    net: nn.Module, path: str | Path, part: str, *, strict: bool = True, param_key: str | None = None
) -> None:
    """Loads a checkpoint of ours (.pth with params_ema or params, .safetensors) or an official one.

    Args:
        net: without wrappers.
        path: the file.
        part: which network to take where the file is an official checkpoint, as in load_part.
        strict: False takes what fits, keys and shapes, and logs what does not.
        param_key: 'params' or 'params_ema'; None: the average, or the weights where there is none.

    Raises:
        WeightsError: no such file, no such part, keys or shapes that are not those of `net`, or, where `strict` is
            False, not one that is.
    """
    state_dict = load_part(path, part, param_key=param_key).state_dict
    own = net.state_dict()
    differences = key_differences(state_dict, own)
    if differences and strict:
        raise WeightsError(f'{path} is not a checkpoint of {type(net).__name__} with these options: {differences}')
    fitting = {key: value for key, value in state_dict.items() if key in own and value.shape == own[key].shape}
    if not fitting:
        raise WeightsError(f'{path} has no weight of {type(net).__name__} with these options: {differences}')
    if differences:
        _logger.warning('%s: %d of %d weights taken: %s', path, len(fitting), len(own), differences)
    net.load_state_dict(fitting, strict=strict)
