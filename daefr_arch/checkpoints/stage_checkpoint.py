"""Weights of an earlier stage, from the file that an option names."""

from pathlib import Path

from torch import nn

from daefr_arch.checkpoints.checkpoint import load_part, read_checkpoint
from daefr_arch.checkpoints.official_layout import key_differences, lq_codebook
from daefr_arch.errors import WeightsError


def load_stage_network(net: nn.Module, path: str | Path, part: str, *, leave_out: tuple[str, ...] = ()) -> None:
    """Loads a checkpoint of ours (.pth with params_ema or params, .safetensors) or an official one, strictly.

    Args:
        net: without wrappers.
        path: the file.
        part: which network to take where the file is an official checkpoint, as in load_part.
        leave_out: beginnings of keys that the file may have and `net` does without.

    Raises:
        WeightsError: no such file, no such part, or keys or shapes that are not those of `net`.
    """
    content = load_part(path, part).state_dict
    state_dict = {key: value for key, value in content.items() if not key.startswith(leave_out)}
    differences = key_differences(state_dict, net.state_dict())
    if differences:
        raise WeightsError(f'{path} is not a checkpoint of {type(net).__name__} with these options: {differences}')
    net.load_state_dict(state_dict)


def load_lq_codebook(codebook: nn.Module, path: str | Path) -> None:
    """Loads the LQ codebook of stage 2, from whichever file holds it (see lq_codebook).

    Args:
        codebook: VectorQuantizer.
        path: the file.

    Raises:
        WeightsError: no such file, no LQ codebook in it, or one of another size.
    """
    weight = lq_codebook(read_checkpoint(path).state_dict)
    if weight is None:
        raise WeightsError(
            f'{path} holds no LQ codebook: expected an LQ autoencoder, a DAEFR with lq_control, or an official file '
            'of stage 2 or 3'
        )
    state_dict = {'embedding.weight': weight}
    differences = key_differences(state_dict, codebook.state_dict())
    if differences:
        raise WeightsError(f'{path}: the LQ codebook does not fit these options: {differences}')
    codebook.load_state_dict(state_dict)
