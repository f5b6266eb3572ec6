"""What one stage takes from the checkpoints of the stages before it, ours or official ones."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from daefr_arch.checkpoints import read_checkpoint
from daefr_arch.errors import WeightsError
from daefr_arch.official_layout import check_state_dict, convert_official, is_official

# where the parts of a codebook autoencoder go in DAEFR
ENCODER_PARTS = ('encoder', 'quant_conv')
DECODER_PARTS = ('codebook', 'post_quant_conv', 'decoder')


def load_part(path: str | Path, network_opt: dict[str, Any], official_parts: Sequence[str]) -> dict[str, Tensor]:
    """The state dict in a checkpoint that fits the network of `network_opt` (as `network_g` in an option file).

    Args:
        path: a checkpoint of this package or an official one.
        network_opt: type and sizes of the network.
        official_parts: names of `convert_official`; the first that an official file holds is taken.

    Raises WeightsError that names the file, and the keys by which it differs, for a checkpoint of another stage
    """
    state_dict = read_checkpoint(path).state_dict
    if is_official(state_dict):
        parts = convert_official(state_dict, network_opt.get('resolution'))
        name = next((part for part in official_parts if part in parts), None)
        if name is None:
            raise WeightsError(
                f'{path}: an official file of another stage: expected {official_parts}, got {list(parts)}'
            )
        state_dict = parts[name]
    try:
        check_state_dict(state_dict, network_opt)
    except WeightsError as error:
        raise WeightsError(f'{path}: {error}') from error
    return state_dict


def under(state_dict: dict[str, Tensor], parts: Sequence[str], prefix: str = '') -> dict[str, Tensor]:
    """The tensors of these parts of an autoencoder, with a prefix before their names."""
    return {f'{prefix}{key}': value for key, value in state_dict.items() if key.split('.')[0] in parts}
