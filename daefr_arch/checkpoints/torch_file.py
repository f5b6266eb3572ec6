"""Files of torch.save, read without running code of theirs, within the time and the memory that their size allows."""

import pickle
import re
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch

from daefr_arch.checkpoints.checksums import check_checksums
from daefr_arch.checkpoints.foreign_files import foreign_file, one_line
from daefr_arch.checkpoints.pickle_depth import check_depth
from daefr_arch.errors import WeightsError

_OLD_FORMAT = b'\x80\x02'  # before PyTorch 1.6: pickles in a row, then the numbers
_PICKLES_OF_OLD_FORMAT = 5  # magic number, protocol, machine, the object, keys of the storages


def read_torch_file(path: Path, *, allowed: Iterable[Any] = ()) -> Any:
    """What torch.save has written, on the CPU.

    Args:
        path: the file, which is there.
        allowed: classes and functions beyond those of tensors, as torch.serialization.safe_globals takes them.

    Raises:
        WeightsError: it is damaged, no file of torch.save, or holds more than `weights_only=True` and `allowed` let
            pass.
    """
    with foreign_file(path, 'a PyTorch file'):
        _check(path)
        check_checksums(path)
        try:
            # a stream, not the path: torch.load takes a name ending in .safetensors for the content
            with torch.serialization.safe_globals(list(allowed)), path.open('rb') as stream:
                return torch.load(stream, map_location='cpu', weights_only=True)
        except pickle.UnpicklingError as error:
            reason = _reason(error)
            if not re.search(r'unsupported (global|class)|not an allowed global', reason, re.IGNORECASE):
                raise
            raise WeightsError(
                f'{path} holds more than tensors, and unpickling that could run any code: refused. If it is an '
                f'official checkpoint, `daefr convert {path} OUTPUT.safetensors --ignore-objects` reads its tensors '
                f'and leaves the rest out without running it. ({reason})'
            ) from error


def objects_of_torch_file(path: Path) -> list[str]:
    """Names of the classes and functions beyond those of tensors that unpickling the file would call.

    Raises:
        WeightsError: it is damaged, or of PyTorch before 1.6.
    """
    with foreign_file(path, 'a PyTorch file of version 1.6 or later'):
        _check(path)
        return torch.serialization.get_unsafe_globals_in_checkpoint(path)


def _check(path: Path) -> None:
    """Raises ValueError for a file that would take more memory or stack than its size lets expect."""
    size = path.stat().st_size
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            claimed = sum(record.file_size for record in archive.infolist())
            if claimed > size:
                raise ValueError(f'its records claim {claimed} bytes, the file has {size}')
            for record in archive.infolist():
                if record.filename.endswith('data.pkl'):
                    with archive.open(record) as stream:
                        check_depth(stream)  # type: ignore[arg-type]
        return
    with path.open('rb') as stream:
        if stream.read(2) != _OLD_FORMAT:
            raise ValueError('it begins otherwise')
        stream.seek(0)
        for _ in range(_PICKLES_OF_OLD_FORMAT):
            check_depth(stream)


def _reason(error: Exception) -> str:
    """What weights_only says is wrong, without its advice."""
    _, found, reason = str(error).partition('WeightsUnpickler error:')
    blocked = re.search('Trying to load unsupported GLOBAL .*', str(error))  # of modules that can do anything
    return one_line(ValueError(reason if found else blocked[0] if blocked else error))
