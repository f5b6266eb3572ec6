"""A folder for files on their way: what a killed process left in it is removed by the next one."""

import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from daefr_arch.io.atomic_file import forget_temporary, make_folder, remember_temporary
from daefr_arch.io.file_lock import try_lock_file

PREFIX = '.daefr-run-'
_LOCK = 'lock'


@contextmanager
def staging_folder(root: Path) -> Iterator[Path]:
    """A new hidden folder in `root`, on its file system, that is removed at the end.

    Those of processes that ended without removing theirs go first. A process that lives holds the lock in its own.

    Raises:
        OutputError: it cannot be made.
    """
    remove_abandoned(root)
    folder, lock = _make(root)
    remember_temporary(folder)
    try:
        yield folder
    finally:
        forget_temporary(folder)
        os.close(lock)


def remove_abandoned(root: Path) -> None:
    """Removes the staging folders in `root` of processes that have ended; where files have no locks, none."""
    for folder in root.glob(f'{PREFIX}*'):
        try:
            lock = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT)
        except OSError:  # removed meanwhile, or another user's
            continue
        try:
            if try_lock_file(lock):
                shutil.rmtree(folder, ignore_errors=True)
        finally:
            os.close(lock)


def _make(root: Path) -> tuple[Path, int]:
    """A new folder, and the open file in it whose lock says that this process lives."""
    while True:
        folder = root / f'{PREFIX}{uuid.uuid4().hex}'
        make_folder(folder)
        try:
            lock = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT)
        except FileNotFoundError:  # another process took it for abandoned before it was locked
            continue
        if try_lock_file(lock) is not False and (folder / _LOCK).exists():
            return folder, lock
        os.close(lock)
