"""The folder that holds the photos of a running server, for its user alone, and is gone when it ends."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from daefr_arch.errors import DAEFRError
from daefr_arch.io.folder_lock import locked_folder

PREFIX = 'daefr-web-'


@contextmanager
def private_folder(parent: Path | None = None) -> Iterator[Path]:
    """A new folder that nobody else may read, removed at the end.

    What servers that were killed have left behind is removed first.

    Args:
        parent: where it is made; the system's folder for temporary files if None.
    """
    parent = parent or Path(tempfile.gettempdir())
    _remove_abandoned(parent)
    folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))
    try:
        with locked_folder(folder):
            yield folder
            remove_folder(folder)  # as long as it is held: else another server could take it for abandoned
    finally:
        remove_folder(folder)


def remove_folder(folder: Path) -> None:
    """Removes a folder with everything in it, also where a thread that is about to end still writes into it."""
    for _ in range(3):
        shutil.rmtree(folder, ignore_errors=True)
        if not folder.exists():
            return


def _remove_abandoned(parent: Path) -> None:
    for folder in parent.glob(f'{PREFIX}*'):
        try:
            if folder.is_symlink() or (hasattr(os, 'getuid') and folder.stat().st_uid != os.getuid()):
                continue
            with locked_folder(folder):
                remove_folder(folder)
        except (DAEFRError, OSError):
            continue  # another server is at work in it, or has just removed it
