"""The weights that metrics measure with: looked up, never downloaded behind the user's back, and never replaced."""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from daefr_arch.checkpoints.checkpoint import read_checkpoint
from daefr_arch.checkpoints.official_layout import key_differences
from daefr_arch.downloads import cache_folder, find, manifest
from daefr_arch.errors import WeightsError

EXTRA = "pip install 'daefr_arch[evaluate]'"


class MissingWeightsError(WeightsError):
    """A file or package that a metric needs is not there; `--skip_missing` reports the metric as missing."""


def locate(name: str, path: str | Path | None = None) -> Path:
    """`path`, or the file called `name` in the manifest, in the clone or the cache folder ($DAEFR_HOME).

    Raises:
        MissingWeightsError: the file is not there; the message names it, and where to get it.
    """
    if path is not None:
        if not Path(path).is_file():
            raise MissingWeightsError(f'no weights at {path}')
        return Path(path)
    found = find(name)
    if found is None:
        entry = manifest()[name]
        source = f'`daefr download {name}`, or put {entry.url} there' if entry.url else f'put it there ({entry.what})'
        raise MissingWeightsError(f'{entry.file} is not in {cache_folder()} ($DAEFR_HOME): {source}')
    return found


def load_into(network: torch.nn.Module, path: Path) -> None:
    """Loads the file strictly, in float32.

    Raises:
        WeightsError: the file is damaged, or its weights are of another network.
    """
    fill(network.float(), read_checkpoint(path).state_dict, path)


def fill(network: torch.nn.Module, state_dict: Mapping[str, Tensor], source: str | Path) -> None:
    """Loads a state dict strictly; old files may lack the counters of batch norms.

    Raises:
        WeightsError: it is of another network; `source` names the file.
    """
    expected = {
        key: value
        for key, value in network.state_dict().items()
        if key in state_dict or not key.endswith('num_batches_tracked')
    }
    differences = key_differences(state_dict, expected)
    if differences:
        raise WeightsError(f'{source}: not the weights of {type(network).__name__}: {differences}')
    network.load_state_dict({**network.state_dict(), **state_dict})
