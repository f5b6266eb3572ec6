"""Safetensors: tensors by name, and a few words of metadata as JSON."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from daefr_arch.checkpoints.foreign_files import foreign_file, printable
from daefr_arch.errors import WeightsError
from daefr_arch.io.atomic_file import atomic_path, make_folder

_MOST_TENSORS = 100_000


def is_safetensors(path: Path) -> bool:
    """Whether the file begins as safetensors do, whatever its name: the length of a header, then JSON."""
    with path.open('rb') as stream:
        return stream.read(9)[8:] == b'{'


def read_safetensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors by key, and the metadata, each value parsed from JSON (or text, where it is none).

    Raises:
        WeightsError: the file is damaged, or its metadata nests without end.
    """
    with foreign_file(path, 'a safetensors file'), safe_open(path, framework='pt') as file:
        keys = list(file.keys())
        if len(keys) > _MOST_TENSORS:
            raise WeightsError(f'{path}: expected at most {_MOST_TENSORS} tensors, got {len(keys)}')
        return {key: file.get_tensor(key) for key in keys}, _parsed(path, file.metadata() or {})


def read_metadata(path: Path) -> dict[str, Any]:
    """The metadata alone, as read_safetensors gives it."""
    with foreign_file(path, 'a safetensors file'), safe_open(path, framework='pt') as file:
        return _parsed(path, file.metadata() or {})


def write_safetensors(
    path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, Any], dtype: torch.dtype | None = None
) -> None:
    """Writes the file whole or not at all; floating-point tensors as `dtype`, metadata as JSON.

    Raises:
        OutputError: it cannot be written.
    """
    stored = {
        key: value.detach().to('cpu', dtype if value.is_floating_point() else None).contiguous()
        for key, value in tensors.items()
    }
    words = {key: json.dumps(value) for key, value in metadata.items()}
    make_folder(path.parent)
    with atomic_path(path) as temporary:
        save_file(stored, temporary, metadata=words)
        temporary.chmod(0o644)  # safetensors creates files that only their owner can read


def _parsed(path: Path, metadata: Mapping[str, str]) -> dict[str, Any]:
    parsed: dict[str, Any] = {}
    for key, text in metadata.items():
        try:
            parsed[key] = json.loads(text)
        except ValueError:
            parsed[key] = text  # a note of another program
        except RecursionError as error:
            raise WeightsError(f'{path}: expected plain metadata, {printable(key, 40)!r} nests without end') from error
    return parsed
