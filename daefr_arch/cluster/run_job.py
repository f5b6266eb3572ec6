"""A run: shards that are not done are handed to workers until all are; what earlier runs left is cleared away."""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from daefr_arch import errors
from daefr_arch.cluster.attempts import forgive
from daefr_arch.cluster.job import Job, done_shards, read_job
from daefr_arch.cluster.lease import is_free, lease_file, read_lease
from daefr_arch.cluster.shard import DONE
from daefr_arch.cluster.store import Store, open_store
from daefr_arch.cluster.worker import FAILED
from daefr_arch.io.progress import ProgressBar

WAIT = 2.0  # seconds, while others have all that is left

# hands shards to workers, and gives what each became, in any order; see ShardWorker.restore
Schedule = Callable[[Sequence[int]], Iterable[dict[str, Any]]]


@dataclass(frozen=True)
class JobResult:
    """What a run has done. shards: of the run. statuses: of the photos that it has restored, by status."""

    shards: int
    statuses: Counter[str]
    elapsed: float


def run_job(
    output: str,
    schedule: Schedule,
    *,
    share: tuple[int, int] = (0, 1),
    check: Callable[[], None] | None = None,
    progress: bool = False,
) -> JobResult:
    """Does what is left of a prepared job, and returns when it is done, by whomever.

    Args:
        output: address of the job.
        schedule: hands shards to workers.
        share: (i, n): of every n shards only the one with number i, from 0.
        check: called where nothing is left, for what a worker would have checked.
        progress: show a progress bar.

    Raises:
        UsageError: no job is prepared, or options or the model differ from those of its other photos.
        StorageError: nothing more can be read or written; the same call goes on later.
        WeightsError: weights are missing.
    """
    store = open_store(output)
    job = read_job(store)
    start = time.perf_counter()
    store.sweep()
    statuses: Counter[str] = Counter()
    left = _left(job, store, share)
    total = len(left)
    if not left and check is not None:
        check()
    bar = ProgressBar(total=total, unit='shard', disable=not progress)
    try:
        while left:
            for outcome in _passed(schedule, _free(store, left)):
                statuses.update(outcome['statuses'])
                bar.update(outcome['state'] == DONE)
            left = _left(job, store, share)
            bar.update(total - len(left) - bar.n)
    except KeyboardInterrupt:
        _forgive_all(store)
        raise
    finally:
        bar.close()
    _clear(store, done_shards(store))
    return JobResult(total, statuses, time.perf_counter() - start)


def _left(job: Job, store: Store, share: tuple[int, int]) -> list[int]:
    done = done_shards(store)
    return [shard for shard in range(share[0], job.shards, share[1]) if shard not in done]


def _free(store: Store, shards: Sequence[int]) -> list[int]:
    """Those that no living worker has."""
    leases = set(store.children('leases'))
    return [
        shard
        for shard in shards
        if lease_file(shard).rpartition('/')[2] not in leases or is_free(read_lease(store, shard))
    ]


def _passed(schedule: Schedule, shards: Sequence[int]) -> Iterator[dict[str, Any]]:
    """One pass over the shards; where none is free, or all turn out not to be, a pause."""
    worked = False
    for outcome in schedule(shards) if shards else ():
        if outcome['state'] == FAILED:
            kind = getattr(errors, outcome['error_class'], errors.StorageError)
            raise kind(outcome['error'])
        worked |= outcome['state'] == DONE
        yield outcome
    if not worked:
        time.sleep(WAIT)


def _forgive_all(store: Store) -> None:
    """The workers are ended by who ends the run: their photos are not to blame."""
    with suppress(errors.OutputError):
        for name in store.children('leases'):
            forgive(store, int(name.removesuffix('.json')))


def _clear(store: Store, done: set[int]) -> None:
    """What workers left that were killed right after their commit."""
    store.sweep()
    for name in store.children('attempts'):
        if int(name) in done:
            store.remove(f'attempts/{name}')
    for name in store.children('leases'):
        shard = int(name.removesuffix('.json'))
        if shard in done and is_free(read_lease(store, shard)):
            store.remove(f'leases/{name}')
