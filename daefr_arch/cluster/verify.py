"""The proof that nothing is lost and nothing is there twice: manifest, results and files against each other."""

import hashlib
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np

from daefr_arch.cluster.job import Job, read_job, result_file
from daefr_arch.cluster.local_store import STAGING
from daefr_arch.cluster.output_name import FACES, PHOTOS
from daefr_arch.cluster.store import Store, open_store
from daefr_arch.cluster.tables import read_outcomes
from daefr_arch.io.progress import ProgressBar

SHOWN = 5  # examples of what is wrong


@dataclass
class Verification:
    """What was found.

    missing: photos without a row, or without one of a page. duplicates: photos that are listed twice, rows and outputs
    that are there twice. temporaries: files that were on their way. lost: files that rows name, and that are not there
    or of another size. strangers: rows without a photo, files among the results without a row. shards_left: that are
    not done. statuses: rows by status. examples: of what is wrong.
    """

    photos: int = 0
    shards: int = 0
    shards_left: int = 0
    missing: int = 0
    duplicates: int = 0
    temporaries: int = 0
    lost: int = 0
    strangers: int = 0
    statuses: Counter[str] = field(default_factory=Counter)
    examples: list[str] = field(default_factory=list)

    @property
    def is_complete(self) -> bool:
        """Whether every photo has one row, every row its file, and nothing else is there."""
        return not (self.missing or self.duplicates or self.temporaries or self.lost or self.strangers)

    def blame(self, what: str, names: Iterable[str]) -> int:
        """Notes examples; returns how many names there are."""
        count = 0
        for name in names:
            if len(self.examples) < SHOWN:
                self.examples.append(f'{what}: {name}')
            count += 1
        return count


def verify_job(output: str, *, progress: bool = False) -> Verification:
    """Compares the manifest with the results, and these with the files. Holds 24 bytes a photo.

    Raises:
        UsageError: no job is prepared there.
        InputError: a file of the job is gone or damaged.
    """
    store = open_store(output)
    job = read_job(store)
    found = Verification(shards=job.shards)
    bar = ProgressBar(total=job.shards, unit='shard', disable=not progress)
    listed: list[np.ndarray] = []
    named: list[np.ndarray] = []
    for shard in range(job.shards):
        paths = job.paths(store, shard)
        found.photos += len(paths)
        listed.append(_hashes(paths))
        data = store.read(result_file(shard))
        if data is None:
            found.shards_left += 1
            found.missing += found.blame('missing', paths)
        else:
            named.append(_compare(found, paths, data))
        bar.update()
    bar.close()
    found.duplicates += found.blame('listed twice', _twice(listed, _manifest(job, store)))
    found.duplicates += found.blame('written twice', _twice(named, _outputs(job, store)))
    _match(found, job, store, np.unique(_joined(named)))
    found.temporaries += found.blame('temporary', (file.name for file in store.files(STAGING)))
    return found


def _compare(found: Verification, paths: list[str], data: bytes) -> np.ndarray:
    """Counts what is wrong with the rows of a shard; returns hashes of the outputs that they name."""
    rows, pages, counts, statuses, outputs, sizes = read_outcomes(data)
    found.statuses.update(statuses)
    seen = Counter(rows)
    of_file = dict(zip(rows, counts, strict=True))
    found.missing += found.blame('missing', (path for path in paths if seen[path] < of_file.get(path, 1)))
    found.strangers += found.blame('a row without a photo', seen.keys() - set(paths))
    twice = (path for (path, _), count in Counter(zip(rows, pages, strict=True)).items() if count > 1)
    found.duplicates += found.blame('two rows', twice)
    return _hashes(_sized(outputs, sizes))


def _match(found: Verification, job: Job, store: Store, expected: np.ndarray) -> None:
    """Counts outputs that are not there, and files that are no outputs. expected: their hashes, sorted."""
    there = np.unique(np.fromiter((_hash(name) for name in _files(store)), np.uint64))
    lost, strange = np.setdiff1d(expected, there, True), np.setdiff1d(there, expected, True)
    if len(lost):
        found.lost = found.blame('not there, or of another size', _with_hash(_outputs(job, store), lost))
    if len(strange):
        found.strangers += found.blame('a file without a row', _with_hash(_files(store), strange))


def _twice(hashes: list[np.ndarray], names: Iterable[str]) -> Iterator[str]:
    """The names that are there more than once; they are looked up only if there are any."""
    values, counts = np.unique(_joined(hashes), return_counts=True)
    again = values[counts > 1]
    if len(again):
        yield from (name for name, count in Counter(_with_hash(names, again)).items() for _ in range(count - 1))


def _with_hash(names: Iterable[str], hashes: np.ndarray) -> Iterator[str]:
    wanted = set(hashes.tolist())
    return (name for name in names if _hash(name) in wanted)


def _manifest(job: Job, store: Store) -> Iterator[str]:
    return (path for shard in range(job.shards) for path in job.paths(store, shard))


def _outputs(job: Job, store: Store) -> Iterator[str]:
    """What the rows name, with sizes."""
    for shard in range(job.shards):
        data = store.read(result_file(shard))
        if data is not None:
            *_, outputs, sizes = read_outcomes(data)
            yield from _sized(outputs, sizes)


def _files(store: Store) -> Iterator[str]:
    """What is there, with sizes."""
    return (f'{file.name} ({file.size} bytes)' for folder in (PHOTOS, FACES) for file in store.files(folder))


def _sized(outputs: Iterable[str | None], sizes: Iterable[int | None]) -> Iterator[str]:
    return (f'{name} ({size} bytes)' for name, size in zip(outputs, sizes, strict=True) if name is not None)


def _joined(hashes: list[np.ndarray]) -> np.ndarray:
    return np.concatenate(hashes) if hashes else np.array([], np.uint64)


def _hashes(names: Iterable[str]) -> np.ndarray:
    return np.fromiter((_hash(name) for name in names), np.uint64)


def _hash(name: str) -> int:
    """Of 64 bits: two of 10 million names have one by chance with a probability of 3e-6; that is a false alarm."""
    return int.from_bytes(hashlib.blake2b(os.fsencode(name), digest_size=8).digest(), 'little')
