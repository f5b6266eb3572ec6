"""The photos of a shard on their way in: from the tree, or fetched from an address a few ahead."""

import os
import tempfile
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from daefr_arch.cluster.store import Store, is_local, local_path, open_store
from daefr_arch.errors import InputError, StorageError
from daefr_arch.io.image_file import page_count
from daefr_arch.restoration.photo_job import PhotoJob
from daefr_arch.restoration.photo_source import PhotoSource

FETCHED_AHEAD = 8


@dataclass(frozen=True)
class ShardPhoto(PhotoSource):
    """A photo of a shard. relative: its path below the input. pages: of its file. is_copy: the file is to be removed
    when it has been read."""

    relative: str = ''
    pages: int = 1
    is_copy: bool = False


def check_input(address: str) -> None:
    """Raises StorageError where this machine does not see the photos, so that none of them gets the blame."""
    if not is_local(address):
        return
    try:
        with os.scandir(local_path(address)) as entries:
            is_there = any(entries)  # what is not mounted is an empty folder
    except OSError:
        is_there = False
    if not is_there:
        raise StorageError(f'{address}: the photos are not there on this machine: is the file system mounted?')


@contextmanager
def photo_jobs(address: str, relatives: Sequence[str]) -> Iterator[Iterator[PhotoJob]]:
    """Inside, a job for each photo, a file's pages one by one.

    Raises (as they are taken):
        StorageError: the address does not answer. A photo that is gone is a failed job.
    """
    if is_local(address):
        root = Path(local_path(address))
        yield (job for relative in relatives for job in _of_file(root / relative, relative))
        return
    store = open_store(address)
    with tempfile.TemporaryDirectory(prefix='daefr-') as folder, ThreadPoolExecutor(FETCHED_AHEAD) as fetchers:
        jobs = _fetched(store, relatives, Path(folder), fetchers)
        try:
            yield jobs
        finally:
            jobs.close()


def _fetched(
    store: Store, relatives: Sequence[str], folder: Path, fetchers: ThreadPoolExecutor
) -> Generator[PhotoJob, None, None]:
    pending: deque[tuple[str, Path, Future[InputError | None]]] = deque()
    numbered = enumerate(relatives)
    while True:
        for number, relative in numbered:
            # behind the number its own name, which errors and warnings show
            path = folder / f'{number:06d}' / Path(relative).name
            pending.append((relative, path, fetchers.submit(_fetch, store, relative, path)))
            if len(pending) == FETCHED_AHEAD:
                break
        if not pending:
            return
        relative, path, future = pending.popleft()
        failed = future.result()
        for job in _of_file(path, relative, is_copy=True):
            if failed is not None:
                job.fail(failed)
            yield job


def _fetch(store: Store, relative: str, path: Path) -> InputError | None:
    data = store.read(relative)
    if data is None:
        return InputError(f'{store.address}/{relative}: it is not there any more')
    path.parent.mkdir()
    path.write_bytes(data)
    return None


def _of_file(path: Path, relative: str, *, is_copy: bool = False) -> Iterator[PhotoJob]:
    pages = page_count(path)
    for page in range(1, pages + 1):
        number = None if pages == 1 else page
        last = page == pages
        yield PhotoJob(ShardPhoto(path, number, relative=relative, pages=pages, is_copy=is_copy and last))
