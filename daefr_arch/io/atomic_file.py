"""Files that appear whole or not at all, and the folders for them."""

import errno
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from daefr_arch.errors import OutputError, StorageError

_TAKES_NOTHING_MORE = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)

_temporaries: set[Path] = set()


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """A temporary path in the folder of `path` to write to; renamed to `path` at the end, removed on failure.

    Raises:
        OutputError: an OSError while writing (disk full, read-only, no such folder).
    """
    path = Path(path)
    # a name of constant length: `path` itself may be as long as the file system allows
    temporary = path.with_name(f'.daefr-{uuid.uuid4().hex}{path.suffix}')
    remember_temporary(temporary)
    try:
        yield temporary
        os.replace(temporary, path)
    except OSError as error:
        raise output_error(path, error) from error
    finally:
        forget_temporary(temporary)


def output_error(path: str | Path, error: OSError, what: str = 'cannot be written') -> OutputError:
    """The error of the project for one of the system at `path`; a StorageError where nothing more can be written."""
    kind = StorageError if error.errno in _TAKES_NOTHING_MORE else OutputError
    return error if isinstance(error, OutputError) else kind(f'{path}: {what}: {error.strerror or error}')


def remember_temporary(path: Path) -> None:
    """Notes a file or folder that `remove_temporaries` is to remove."""
    _temporaries.add(path)


def forget_temporary(path: Path) -> None:
    """Removes the file, or the folder with what is in it, if it is there."""
    if path.is_dir():
        gone = path.with_name(f'{path.name}-')
        with suppress(OSError):  # renamed first: no thread can put anything into it any more
            path = path.rename(gone)
        shutil.rmtree(path, ignore_errors=True)
    with suppress(OSError):  # it is not there, or its folder is not
        path.unlink()
    _temporaries.discard(path)


def remove_temporaries() -> None:
    """Removes what is being written: for a process that leaves without waiting for its threads."""
    for temporary in tuple(_temporaries):
        forget_temporary(temporary)


def write_bytes(path: str | Path, data: bytes) -> None:
    """Writes the file whole or not at all.

    Raises:
        OutputError: it cannot be written.
    """
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)


def make_folder(path: str | Path) -> None:
    """Makes the folder and those above it, unless they are there.

    Raises:
        OutputError: it cannot be made.
    """
    try:
        Path(path).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise output_error(path, error, 'the folder cannot be made') from error
