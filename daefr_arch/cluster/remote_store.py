"""A store at an address of fsspec, such as s3://bucket/folder: an object appears whole, by a single PUT."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

from daefr_arch.cluster.libraries import load_fsspec
from daefr_arch.cluster.store import StoredFile
from daefr_arch.errors import OutputError, StorageError

TRIES = 4
PAUSE = 0.5  # seconds before the second try, twice as long before each one after it

T = TypeVar('T')


class RemoteStore:
    """See Store. Object stores have no folders and need no staging; of other protocols, such as sftp, mount them.

    address: protocol and folder. Options of the protocol come from its own environment variables and files.
    """

    def __init__(self, address: str) -> None:
        self.address = address.rstrip('/')
        # without its cache, a listing would be as old as the first one
        self._files, self._root = load_fsspec(self.address).core.url_to_fs(self.address, use_listings_cache=False)

    def read(self, name: str) -> bytes | None:
        """As Store.read."""

        def read() -> bytes | None:
            try:
                return self._files.cat_file(self._path(name))
            except FileNotFoundError:
                return None

        return self._tried(name, read, OutputError)

    def write(self, name: str, data: bytes) -> None:
        """As Store.write."""
        self._tried(name, lambda: self._files.pipe_file(self._path(name), data), StorageError)

    def create(self, name: str, data: bytes) -> bool:
        """As Store.create."""

        def create() -> bool:
            try:
                self._files.pipe_file(self._path(name), data, mode='create')
            except OSError:
                # how stores say that the object is there differs; an earlier try of this very call may have made it
                found = self.read(name)
                if found is None:
                    raise
                return found == data
            return True

        if self.read(name) is not None:
            return False
        return self._tried(name, create, StorageError)

    def remove(self, name: str) -> None:
        """As Store.remove."""

        def remove() -> None:
            with suppress(FileNotFoundError):
                self._files.rm(self._path(name), recursive=True)

        self._tried(name, remove, OutputError)

    def children(self, folder: str) -> list[str]:
        """As Store.children."""
        return sorted(name.rpartition('/')[2] for name, _, _ in self._listed(self._path(folder)))

    def files(self, folder: str) -> Iterator[StoredFile]:
        """As Store.files: in the memory of the largest folder."""
        for name, kind, size in self._listed(self._path(folder)):
            inner = f'{folder}/{name.rpartition("/")[2]}' if folder else name.rpartition('/')[2]
            if kind == 'directory':
                yield from self.files(inner)
            else:
                yield StoredFile(inner, size)

    @contextmanager
    def staging(self, name: str) -> Iterator['RemoteStore']:
        """As Store.staging."""
        del name
        yield self

    def evict(self, name: str) -> None:
        """As Store.evict."""

    def sweep(self) -> None:
        """As Store.sweep."""

    def settle(self) -> None:
        """As Store.settle."""

    def _path(self, name: str) -> str:
        return f'{self._root}/{name}' if name else self._root

    def _listed(self, path: str) -> list[tuple[str, str, int]]:
        """(path, type, size) of what is in the folder; the folder itself, which some stores list too, is left out."""

        def list_folder() -> Any:
            try:
                return self._files.ls(path, detail=True)
            except FileNotFoundError:
                return []

        entries = self._tried(path, list_folder, OutputError)
        found = ((entry['name'].rstrip('/'), entry['type'], entry['size'] or 0) for entry in entries)
        return [entry for entry in found if entry[0].strip('/') != path.strip('/')]

    def _tried(self, name: str, function: Callable[[], T], kind: type[OutputError]) -> T:
        """What the function returns; networks fail for moments, so it is tried again."""
        for attempt in range(TRIES):
            try:
                return function()
            except OSError as error:
                if attempt == TRIES - 1:
                    raise kind(f'{self.address}/{name}: {type(error).__name__}: {error}') from error
                time.sleep(PAUSE * 2**attempt)
        raise AssertionError('not reached')
