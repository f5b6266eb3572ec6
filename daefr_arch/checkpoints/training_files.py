"""Files of a run: written whole or not at all, even if the machine stops, and checked when they are read again.

A training state completes a set: it is written after its networks.
"""

import json
import os
import zipfile
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

import torch

from daefr_arch.checkpoints.checksums import check_checksums
from daefr_arch.checkpoints.torch_file import read_torch_file
from daefr_arch.errors import WeightsError
from daefr_arch.io.atomic_file import atomic_path

BASICSR_STATE_KEYS = ('iter', 'epoch', 'optimizers', 'schedulers')
STATE_KEYS = (*BASICSR_STATE_KEYS, 'scaler', 'random_states', 'best')


def save_durably(value: Any, path: str | Path) -> None:
    """torch.save to a temporary name, flushed to the disk and renamed.

    Raises:
        OutputError: the file cannot be written.
    """
    path = Path(path)
    with atomic_path(path) as temporary:
        with temporary.open('wb') as file:
            torch.save(value, file)
            file.flush()
            os.fsync(file.fileno())
    _flush_folder(path.parent)


def as_plain(options: Any) -> Any:
    """Options as mappings, lists and numbers alone, which load with weights_only."""
    return json.loads(json.dumps(options))


def _flush_folder(folder: Path) -> None:
    """A rename is on the disk only when its folder is."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def network_file(models: str | Path, label: str, current_iter: int | str) -> Path:
    """BasicSR's name of the checkpoint of network_<label>."""
    return Path(models) / f'net_{label}_{current_iter}.pth'


def training_states(folder: str | Path) -> list[Path]:
    """The training states of a run, the one of the highest iteration first."""
    states = (path for path in Path(folder).glob('*.state') if path.stem.isdigit())
    return sorted(states, key=lambda path: int(path.stem), reverse=True)


def newest_state(folder: str | Path) -> Path | None:
    """The training state of the highest iteration, whole or not; None if there is none."""
    return next(iter(training_states(folder)), None)


def load_training_state(path: str | Path, keys: Collection[str] = STATE_KEYS) -> dict[str, Any]:
    """A training state, on the CPU, which holds `keys` at least.

    Raises:
        WeightsError: the file is missing, is damaged, or is not a training state.
    """
    path = Path(path)
    if not path.is_file():
        raise WeightsError(f'path.resume_state: {path} does not exist')
    if not zipfile.is_zipfile(path):
        raise WeightsError(f'{path} cannot be read as a training state: it is cut off, or no file of torch.save')
    try:
        state = read_torch_file(path)
    except WeightsError as error:
        raise WeightsError(f'{path} cannot be read as a training state: {error}') from error
    if not isinstance(state, dict) or not state.keys() >= set(keys):
        raise WeightsError(f'{path} is not a training state: expected {", ".join(sorted(keys))}')
    return state


def check_saved_networks(
    models: str | Path, current_iter: int, labels: Iterable[str] | None, *, ignored: Collection[str] = ()
) -> None:
    """Whether the checkpoints that belong to a training state are there, and are what was written.

    Args:
        models: their folder.
        current_iter: of the state.
        labels: of the networks that were saved with it; None: of those that are there.
        ignored: network_<label> of those that are not needed.

    Raises:
        WeightsError: names the first file that is missing or damaged.
    """
    if labels is None:
        files = sorted(Path(models).glob(f'net_*_{current_iter}.pth'))
        labels = [file.stem.removeprefix('net_').removesuffix(f'_{current_iter}') for file in files]
    for label in labels:
        path = network_file(models, label, current_iter)
        if f'network_{label}' in ignored:
            continue
        if not zipfile.is_zipfile(path):
            raise WeightsError(f'{path} is {"cut off" if path.exists() else "missing"}')
        check_checksums(path)


def remove_temporaries(*folders: str | Path) -> None:
    """Removes what a killed run left half-written."""
    for folder in folders:
        for temporary in Path(folder).glob('.daefr-*'):
            temporary.unlink(missing_ok=True)
