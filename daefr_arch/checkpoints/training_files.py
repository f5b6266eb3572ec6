"""Files of a run: written whole or not at all, even if the machine stops. A training state completes a set."""

import json
import os
from collections.abc import Collection
from pathlib import Path
from typing import Any

import torch

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


def newest_state(training_states: str | Path) -> Path | None:
    """The training state of the highest iteration, which was written after its networks; None if there is none."""
    states = [path for path in Path(training_states).glob('*.state') if path.stem.isdigit()]
    return max(states, key=lambda path: int(path.stem), default=None)


def load_training_state(path: str | Path, keys: Collection[str] = STATE_KEYS) -> dict[str, Any]:
    """A training state, on the CPU, which holds `keys` at least.

    Raises:
        WeightsError: the file is missing or is not a training state.
    """
    path = Path(path)
    if not path.is_file():
        raise WeightsError(f'path.resume_state: {path} does not exist')
    try:
        state = read_torch_file(path)
    except WeightsError as error:
        raise WeightsError(f'{path} cannot be read as a training state: {error}') from error
    if not isinstance(state, dict) or not state.keys() >= set(keys):
        raise WeightsError(f'{path} is not a training state: expected {", ".join(sorted(keys))}')
    return state


def remove_temporaries(*folders: str | Path) -> None:
    """Removes what a killed run left half-written."""
    for folder in folders:
        for temporary in Path(folder).glob('.daefr-*'):
            temporary.unlink(missing_ok=True)
