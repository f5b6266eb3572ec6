"""Files that appear whole or not at all, and the folders for them."""

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from daefr_arch.errors import OutputError

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
    _temporaries.add(temporary)
    try:
        yield temporary
        os.replace(temporary, path)
    except OSError as error:
        raise OutputError(f'{path}: cannot be written: {error.strerror or error}') from error
    finally:
        _remove(temporary)


def remove_temporaries() -> None:
    """Removes what is being written: for a process that leaves without waiting for its threads."""
    for temporary in tuple(_temporaries):
        _remove(temporary)


def _remove(temporary: Path) -> None:
    with suppress(OSError):  # it is not there, or its folder is not
        temporary.unlink()
    _temporaries.discard(temporary)


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
        raise OutputError(f'{path}: the folder cannot be made: {error.strerror}') from error
