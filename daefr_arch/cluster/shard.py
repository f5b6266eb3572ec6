"""One shard, from its manifest to the commit of its results."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from daefr_arch.cluster.attempts import DEATHS, Attempts
from daefr_arch.cluster.job import Job, result_file
from daefr_arch.cluster.lease import Lease
from daefr_arch.cluster.settings import PhotoOptions
from daefr_arch.cluster.shard_files import ShardFiles
from daefr_arch.cluster.shard_source import check_input, photo_jobs
from daefr_arch.cluster.store import Store, TakenOverError
from daefr_arch.cluster.tables import ResultRow, result_table
from daefr_arch.restoration.photo_folder import FolderResult, restore_jobs
from daefr_arch.version import __version__

KILLED = 'killed'
DONE, BUSY = 'done', 'busy'


@dataclass(frozen=True)
class ShardOutcome:
    """What became of a shard.

    state: 'done', or 'busy' where another worker has it. statuses: photos by status, of this worker.
    """

    shard: int
    state: str
    statuses: Counter[str]


def restore_shard(job: Job, store: Store, shard: int, restorer: Any, options: PhotoOptions) -> ShardOutcome:
    """Restores the photos of a shard and commits their results; a photo that fails is a row.

    Whenever the process is killed, the shard is done, with a row a photo and all files, or not done; then the next
    worker that comes goes on with it.

    Raises:
        StorageError: nothing more can be written or read; the shard is not done, and nobody is to blame.
    """
    nothing: Counter[str] = Counter()
    if store.read(result_file(shard)) is not None:
        return ShardOutcome(shard, DONE, nothing)
    check_input(job.input)
    lease = Lease(store, shard)
    with lease.held() as is_held:
        if not is_held:
            return ShardOutcome(shard, BUSY, nothing)
        try:
            rows = _restore_and_commit(job, store, shard, restorer, options, lease)
        except TakenOverError:
            return ShardOutcome(shard, BUSY, nothing)
    return ShardOutcome(shard, DONE, Counter(row.status for row in rows))


def _restore_and_commit(
    job: Job, store: Store, shard: int, restorer: Any, options: PhotoOptions, lease: Lease
) -> Sequence[ResultRow]:
    """The rows that are committed; none where another worker has been faster."""
    with store.staging(_staging(shard)) as staged:
        staged.evict(_staging(shard))
        rows = _restore(job, staged, shard, restorer, options, lease)
        staged.settle()
        table = result_table(rows, metadata={'daefr_arch': __version__, 'shard': str(shard)})
        is_ours = staged.create(result_file(shard), table)
        staged.settle()
    Attempts(store, shard).forget()
    return rows if is_ours else ()


def _staging(shard: int) -> str:
    return f'{shard:06d}'


def _restore(
    job: Job, store: Store, shard: int, restorer: Any, options: PhotoOptions, lease: Lease
) -> Sequence[ResultRow]:
    """The rows of the shard's photos, in their order, part by part."""
    paths = job.paths(store, shard)
    attempts = Attempts.of(store, shard, len(paths))
    rows: list[ResultRow] = []
    for part in attempts.parts:
        done = attempts.results(part)
        if done is None and part.is_killer:
            done = [_killed(paths[part.start])]
        if done is None:
            attempts.begin(part)
            try:
                done = _restore_part(job, store, paths[part.start : part.stop], restorer, options, lease)
            except BaseException:
                attempts.forgive()
                raise
            attempts.end(part, done)
        rows += done
    return rows


def _restore_part(
    job: Job, store: Store, paths: Sequence[str], restorer: Any, options: PhotoOptions, lease: Lease
) -> list[ResultRow]:
    files = ShardFiles(store, options, is_lost=lambda: lease.lost)
    with photo_jobs(job.input, paths) as jobs:
        restore_jobs(
            restorer,
            jobs,
            files,
            FolderResult(Counter(), Counter(), 0.0),
            has_aligned=options.has_aligned,
            only_center_face=options.only_center_face,
            weight=options.weight,
            max_pixels=options.max_pixels,
        )
    if files.full is not None:
        raise files.full
    if any(row.error is not None for row in files.rows):
        check_input(job.input)
    order = {path: number for number, path in enumerate(paths)}
    return sorted(files.rows, key=lambda row: (order[row.path], row.page or 0))


def _killed(path: str) -> ResultRow:
    return ResultRow(
        path, None, 1, KILLED, f'{DEATHS} workers died while they restored this photo alone: it was left out', 'Killed'
    )
