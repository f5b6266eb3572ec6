"""Where a job's files lie: a folder, or an address of fsspec. Every file appears whole or not at all.

Names are relative, with slashes; bytes of a name that are no UTF-8 are surrogates, as `os.fsdecode` makes them.
"""

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from daefr_arch.errors import StorageError


class TakenOverError(StorageError):
    """Another worker has taken over what this one was doing: nothing more of it may be written."""


@dataclass(frozen=True)
class StoredFile:
    """A file of a store, and its bytes."""

    name: str
    size: int


class Store(Protocol):
    """Files under one address."""

    address: str

    def read(self, name: str) -> bytes | None:
        """The content; None where there is no such file. Raises OutputError where it cannot be read."""

    def write(self, name: str, data: bytes) -> None:
        """Writes or replaces the file. Raises OutputError, StorageError where nothing more can be written."""

    def create(self, name: str, data: bytes) -> bool:
        """Writes the file unless it is there; returns whether it was not: of several writers one gets True."""

    def remove(self, name: str) -> None:
        """Removes the file, or the folder with what is in it, if it is there."""

    def children(self, folder: str) -> list[str]:
        """The names of what is in the folder, sorted; none where there is no such folder."""

    def files(self, folder: str) -> Iterator[StoredFile]:
        """All files below the folder, in no order and in little memory; the names begin with the folder."""

    def staging(self, name: str) -> AbstractContextManager['Store']:
        """This store; what is on its way lies in the staging folder of that name, if the store needs one.

        Once somebody removes that folder, writing raises TakenOverError.
        """

    def evict(self, name: str) -> None:
        """Removes the staging folders of that name, but for this store's own: whoever wrote there is taken over."""

    def sweep(self) -> None:
        """Removes the staging folders of processes that have ended."""

    def settle(self) -> None:
        """Returns when what was written would survive a loss of power."""


def open_store(address: str) -> Store:
    """The store at a folder or an address, such as s3://bucket/folder; it need not be there yet.

    Raises:
        UsageError: fsspec, or what it needs for this protocol, is not installed.
    """
    if is_local(address):
        from daefr_arch.cluster.local_store import LocalStore

        return LocalStore(local_path(address))
    from daefr_arch.cluster.remote_store import RemoteStore

    return RemoteStore(address)


def is_local(address: str) -> bool:
    """Whether the address is a path of this machine."""
    return '://' not in address or address.startswith('file://')


def absolute(address: str) -> str:
    """The address, as it is on another machine that has the same file systems."""
    return os.path.abspath(local_path(address)) if is_local(address) else address.rstrip('/')


def local_path(address: str) -> str:
    """The path of a local address."""
    return address.removeprefix('file://')
