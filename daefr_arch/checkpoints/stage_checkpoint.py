"""Weights of an earlier stage, from the file that an option names."""

import logging
from pathlib import Path

from torch import nn

from daefr_arch.checkpoints.checkpoint import Checkpoint, load_part, read_checkpoint
from daefr_arch.checkpoints.official_layout import convert_official, is_official, key_differences, lq_codebook
from daefr_arch.checkpoints.provenance import Domain, check_domain, weights_hash
from daefr_arch.errors import WeightsError

_logger = logging.getLogger('basicsr')  # the log of the training run


def load_stage_network(
    net: nn.Module,
    path: str | Path,
    part: str,
    *,
    strict: bool = True,
    param_key: str | None = None,
    leave_out: tuple[str, ...] = (),
    domain: Domain | None = None,
) -> Checkpoint:
    """Loads a checkpoint of ours (.pth with params_ema or params, .safetensors) or an official one.

    Args:
        net: without wrappers.
        path: the file.
        part: which network to take where the file is an official checkpoint, as in load_part.
        strict: False takes what fits, keys and shapes, and logs what does not.
        param_key: 'params' or 'params_ema'; None: the average, or the weights where there is none.
        leave_out: beginnings of keys that the file may have and `net` does without.
        domain: as in load_part.

    Returns:
        What the file holds.

    Raises:
        WeightsError: no such file, no such part, one of the other domain, keys or shapes that are not those of `net`,
            or, where `strict` is False, not one that is.
    """
    checkpoint = load_part(path, part, param_key=param_key, domain=domain)
    state_dict = {key: value for key, value in checkpoint.state_dict.items() if not key.startswith(leave_out)}
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
    return checkpoint


def load_lq_codebook(codebook: nn.Module, path: str | Path, *, param_key: str | None = None) -> None:
    """Loads the LQ codebook of stage 2, from whichever file holds it (see lq_codebook).

    Args:
        codebook: VectorQuantizer.
        path: the file.
        param_key: as in load_stage_network.

    Raises:
        WeightsError: no such file, an HQ autoencoder, no LQ codebook in it, or one of another size.
    """
    checkpoint = read_checkpoint(path, param_key=param_key)
    check_domain(Path(path), checkpoint.provenance, 'lq')
    weight = lq_codebook(checkpoint.state_dict)
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


def lq_origin(path: str | Path, *, param_key: str | None = None) -> str | None:
    """weights_hash of the LQ autoencoder of a file: of its own, or of that which a DAEFR of ours says it began with.

    None where the file has none and does not say. Raises WeightsError as read_checkpoint does.
    """
    checkpoint = read_checkpoint(path, param_key=param_key)
    if is_official(checkpoint.state_dict):
        parts = convert_official(checkpoint.state_dict)
        own = None if 'daefr' in parts else parts.get('lq_codebook', parts.get('codebook'))
    else:
        own = checkpoint.state_dict if 'encoder.conv_in.weight' in checkpoint.state_dict else None
    if own is not None:
        return weights_hash(own)
    return checkpoint.provenance.started_from.get('lq') if checkpoint.provenance else None
