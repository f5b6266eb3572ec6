"""Weights of an earlier stage, from the file that an option names."""

from pathlib import Path

from torch import nn

from daefr_arch.errors import WeightsError


def load_stage_network(net: nn.Module, path: str | Path, part: str | None) -> None:
    """Loads a checkpoint of ours (.pth with params_ema or params, .safetensors) or an official one, strictly.

    Args:
        net: without wrappers.
        path: the file.
        part: which network to take where the file is an official checkpoint with several of them: a key of what
            `checkpoints.convert_official` returns. None: the only one that fits.

    Raises:
        WeightsError: no such file, no such part, or keys or shapes that are not those of `net`.
    """
    from daefr_arch import checkpoints

    state = checkpoints.read_checkpoint(path).state_dict
    if checkpoints.is_official(state):
        state = _official_part(checkpoints.convert_official(state), net, path, part)
    problem = _difference(net, state)
    if problem:
        raise WeightsError(f'{path} is not a checkpoint of {type(net).__name__} with these options: {problem}')
    net.load_state_dict(state)


def _official_part(parts: dict[str, dict], net: nn.Module, path: str | Path, part: str | None) -> dict:
    if part is None:
        fitting = [name for name, state in parts.items() if _difference(net, state) is None]
        if len(fitting) != 1:
            held = ', '.join(parts)
            raise WeightsError(f'{path} holds {held}: {len(fitting)} of them fit {type(net).__name__}, not one')
        part = fitting[0]
    # a stage-1 file holds one path and does not say whose
    part = part if part in parts else part.removeprefix('hq_').removeprefix('lq_')
    if part not in parts:
        raise WeightsError(f'{path} holds {", ".join(parts)}, not {part}: name the checkpoint of another stage')
    return parts[part]


def _difference(net: nn.Module, state: dict) -> str | None:
    """The first thing by which a state dict does not fit, or None."""
    expected = net.state_dict()
    for what, keys in (('lacks', expected.keys() - state.keys()), ('has besides', state.keys() - expected.keys())):
        if keys:
            return f'it {what} {len(keys)} of {len(expected)} keys, as {min(keys)}'
    for key, tensor in expected.items():
        if state[key].shape != tensor.shape:
            return f'{key} is {tuple(state[key].shape)}, expected {tuple(tensor.shape)}'
    return None
