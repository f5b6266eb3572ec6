"""The weights that metrics measure with: looked up, never downloaded behind the user's back, and never replaced."""

from pathlib import Path

import torch

from daefr_arch.checkpoints.checkpoint import read_checkpoint
from daefr_arch.checkpoints.downloads import cache_folder, find, manifest
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
    try:
        network.float().load_state_dict(read_checkpoint(path).state_dict)
    except RuntimeError as error:
        raise WeightsError(f'{path}: not the weights of {type(network).__name__}: {error}') from error
