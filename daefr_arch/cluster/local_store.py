"""A store in a folder, which machines may share: temporary, fsync, rename."""

import errno
import os
import shutil
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from daefr_arch.cluster.process_identity import is_dead, this_process
from daefr_arch.cluster.store import StoredFile, TakenOverError
from daefr_arch.io.atomic_file import make_folder, output_error

STAGING = 'staging'
_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)
_OLD = 3600  # seconds without a change, after which a staging folder of another machine is abandoned


class LocalStore:
    """See Store.

    Args:
        root: the folder; made with the first file.
    """

    def __init__(self, root: str | os.PathLike[str]) -> None:
        self.root = Path(root)
        self.address = str(root)
        self._staging: Path | None = None
        self._unsettled: set[Path] = set()

    def read(self, name: str) -> bytes | None:
        """As Store.read."""
        try:
            return (self.root / name).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise output_error(self.root / name, error, 'cannot be read') from error

    def write(self, name: str, data: bytes) -> None:
        """As Store.write."""
        self._put(name, data, replace=True)

    def create(self, name: str, data: bytes) -> bool:
        """As Store.create."""
        return self._put(name, data, replace=False)

    def _put(self, name: str, data: bytes, *, replace: bool) -> bool:
        if self._staging is None:
            with self.staging('single') as store:
                return store._put(name, data, replace=replace)
        path = self.root / name
        temporary = self._staging / uuid.uuid4().hex
        try:
            _write_durably(temporary, data)
            make_folder(path.parent)
            if not replace:
                return _link(temporary, path)
            os.replace(temporary, path)
            return True
        except OSError as error:
            if not self._staging.is_dir():
                raise TakenOverError(f'{path}: another worker has taken over') from error
            raise output_error(path, error) from error
        finally:
            with suppress(OSError):
                temporary.unlink()
            self._unsettled.add(path.parent)

    def remove(self, name: str) -> None:
        """As Store.remove."""
        path = self.root / name
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
            return
        try:
            path.unlink(missing_ok=True)
        except NotADirectoryError:
            return
        except OSError as error:
            raise output_error(path, error, 'cannot be removed') from error

    def children(self, folder: str) -> list[str]:
        """As Store.children."""
        try:
            return sorted(os.listdir(self.root / folder))
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            raise output_error(self.root / folder, error, 'cannot be listed') from error

    def files(self, folder: str) -> Iterator[StoredFile]:
        """As Store.files."""
        try:
            with os.scandir(self.root / folder) as entries:
                for entry in entries:
                    name = f'{folder}/{entry.name}'
                    if entry.is_dir():
                        yield from self.files(name)
                    else:
                        yield StoredFile(name, entry.stat().st_size)
        except FileNotFoundError:
            return
        except OSError as error:
            raise output_error(self.root / folder, error, 'cannot be listed') from error

    @contextmanager
    def staging(self, name: str) -> Iterator['LocalStore']:
        """As Store.staging."""
        store = LocalStore(self.root)
        store._staging = self.root / STAGING / f'{name}~{this_process()}~{uuid.uuid4().hex[:8]}'
        make_folder(store._staging)
        try:
            yield store
        finally:
            shutil.rmtree(store._staging, ignore_errors=True)
            self._unsettled |= store._unsettled

    def evict(self, name: str) -> None:
        """As Store.evict."""
        for folder in self.children(STAGING):
            if folder.startswith(f'{name}~') and (self._staging is None or folder != self._staging.name):
                self.remove(f'{STAGING}/{folder}')

    def settle(self) -> None:
        """As Store.settle: the files themselves are on the disk already, here go the folders that name them."""
        for folder in tuple(self._unsettled):
            self._unsettled.discard(folder)
            with suppress(OSError):  # not every file system lets folders be opened
                descriptor = os.open(folder, os.O_RDONLY)
                try:
                    os.fsync(descriptor)
                finally:
                    os.close(descriptor)

    def sweep(self) -> None:
        """As Store.sweep."""
        for name in self.children(STAGING):
            process = name.partition('~')[2].rpartition('~')[0]
            if is_dead(process) or (is_dead(process) is None and self._is_old(f'{STAGING}/{name}')):
                self.remove(f'{STAGING}/{name}')

    def _is_old(self, name: str) -> bool:
        try:
            return time.time() - (self.root / name).stat().st_mtime > _OLD
        except OSError:
            return False


def _write_durably(path: Path, data: bytes) -> None:
    with path.open('xb') as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _link(temporary: Path, path: Path) -> bool:
    """Gives the file a second name unless that is taken: one step, of which the system lets one writer have it."""
    try:
        os.link(temporary, path)
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        if path.exists():
            return False
        os.replace(temporary, path)
    return True
