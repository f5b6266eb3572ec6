"""One process at a time in a folder that is being written."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from daefr_arch.errors import OutputError, UsageError

LOCK = '.daefr.lock'


@contextmanager
def locked_folder(folder: Path, file: Path | None = None) -> Iterator[None]:
    """Holds the folder. The system lets it go when the process ends, however it does.

    Args:
        folder: which must be there, unless `file` is given.
        file: that is locked, outside of a folder that may be renamed; None: one in it.

    Raises:
        UsageError: another process holds it.
        OutputError: the folder cannot be written to.
    """
    path = file or folder / LOCK
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise UsageError(f'{folder}: another process is writing it; wait until it is done') from error
    except OSError as error:
        raise OutputError(f'{folder}: cannot be written to: {error.strerror}') from error
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        lock.release()
