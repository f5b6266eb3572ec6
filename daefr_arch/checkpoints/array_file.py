"""Files of NumPy arrays, such as the statistics of FID: .npz, and .pth that hold arrays in place of tensors."""

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from daefr_arch.checkpoints.foreign_files import foreign_file, printable, weight_file
from daefr_arch.checkpoints.torch_file import read_torch_file
from daefr_arch.errors import WeightsError

_LARGEST = 1 << 30  # bytes, unpacked; the statistics of 2048 features have 34 million


def read_arrays(path: str | Path, keys: tuple[str, ...]) -> list[np.ndarray]:
    """The arrays under `keys`, float64, without running code of the file.

    Raises:
        WeightsError: no file, a damaged one, one without these keys, or numbers that are not real and finite.
    """
    path = weight_file(path)
    with foreign_file(path, 'a file of arrays'):
        content = _read_npz(path, keys) if path.suffix == '.npz' else read_torch_file(path, allowed=_of_numpy())
        if not isinstance(content, Mapping):
            raise WeightsError(f'{path}: expected arrays by name, got {type(content).__name__}')
        if not content.keys() >= set(keys):
            found = printable(', '.join(map(str, content)), 100)
            raise WeightsError(f'{path}: expected the keys {" and ".join(keys)}, found {found}')
        return [_numbers(path, key, content[key]) for key in keys]


def _read_npz(path: Path, keys: tuple[str, ...]) -> dict[str, Any]:
    with zipfile.ZipFile(path) as archive:
        size = sum(record.file_size for record in archive.infolist())
        if size > _LARGEST:
            raise WeightsError(f'{path}: expected at most {_LARGEST} bytes unpacked, it claims {size}')
    with np.load(path) as arrays:
        return {key: arrays[key] if key in keys else None for key in arrays.files}


def _of_numpy() -> list[Any]:
    """What unpickling an array calls; `numpy.core` is NumPy 1's name of the module."""
    reconstruct = np.empty(0).__reduce__()[0]
    return [
        (reconstruct, 'numpy.core.multiarray._reconstruct'),
        (reconstruct, 'numpy._core.multiarray._reconstruct'),
        *(np.ndarray, np.dtype, *(type(np.dtype(kind)) for kind in ('f8', 'f4'))),
    ]


def _numbers(path: Path, key: str, value: Any) -> np.ndarray:
    array = np.asarray(value)
    if array.dtype.kind != 'f' or not np.isfinite(array).all():
        raise WeightsError(f'{path}: {key}: expected finite floating-point numbers, got {array.dtype} or NaN')
    return array.astype(np.float64)
