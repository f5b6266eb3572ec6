"""What a cluster's driver costs, and how workers add up: measured small, and simulated for 10 million photos.

The simulation has 8 nodes, which are 8 raylets of this machine, and workers that restore nothing; a manifest of 10
million names that no file system has to list; and rows of a million photos to verify.
"""

import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import cv2
import numpy as np

from daefr_arch.cluster import job as job_module
from daefr_arch.cluster import ray_workers as ray_workers_module
from daefr_arch.cluster.job import Job, prepare_job, result_file
from daefr_arch.cluster.libraries import load_ray
from daefr_arch.cluster.run_job import run_job
from daefr_arch.cluster.settings import PhotoOptions
from daefr_arch.cluster.store import Store, open_store
from daefr_arch.cluster.tables import ResultRow, result_table
from daefr_arch.cluster.verify import verify_job
from daefr_arch.cluster.worker import ShardWorker
from daefr_arch.restoration.restorer import DAEFRRestorer
from tests.benchmarks.row import Row
from tests.faces.photos import astronaut

LISTED = 100_000  # files that are really there
MANY, NODES = 10_000_000, 8
SCHEDULED = 1000  # shards, of the 10,000 that they would be
VERIFIED = 1_000_000
RESTORED, SHARD = 48, 4  # photos, and of a shard, of the measurement with 1 and 2 workers
NAME = 'collection/batch-{:04d}/person-{:06d}/portrait-{:08d}.jpg'


def cluster_rows() -> list[Row]:
    """Measures each in a process of its own, whose memory is its own too; what the package itself takes is left out."""
    return [*_listing(), *_many(), *_scheduling(), *_verifying(), *_scaling()]


def _alone(what: str) -> list[float]:
    """The numbers that a measurement of this module prints."""
    words = [sys.executable, '-m', 'tests.benchmarks.cluster_benchmark', what]
    return [float(word) for word in subprocess.run(words, check=True, capture_output=True, text=True).stdout.split()]


def _listing() -> list[Row]:
    seconds, _ = _alone('listing')
    return [Row(f'`daefr cluster prepare` of {LISTED:,} files, a photo', [seconds / LISTED * 1e6], unit='us')]


def _many() -> list[Row]:
    seconds, memory, size, files = _alone('many')
    return [
        Row(f'manifest of {MANY:,} photos from a list, in {files:,.0f} shards', [seconds]),
        Row('its files', [size / 2**20], unit='MiB'),
        Row('memory that making it takes', [memory], unit='MiB'),
    ]


def _scheduling() -> list[Row]:
    seconds, first, memory = _alone('scheduling')
    return [
        Row(
            f'Ray Data, {SCHEDULED:,} shards that do nothing, {NODES} nodes, a shard',
            [seconds / SCHEDULED * 1e3],
            unit='ms',
        ),
        Row('until the first one is back', [first]),
        Row('memory that the driver takes for them', [memory], unit='MiB'),
    ]


def _verifying() -> list[Row]:
    seconds, memory = _alone('verifying')
    return [
        Row(f'`daefr cluster verify` of {VERIFIED:,} rows', [seconds]),
        Row('memory that it takes', [memory], unit='MiB'),
    ]


def _scaling() -> list[Row]:
    one, two = _alone('scaling')
    name = f'photos of 256 px with a face, 2 workers on {os.cpu_count()} cores (baseline: 1 worker), a photo'
    return [Row(name, [1 / two], [1 / one])]


def _measure_listing(folder: Path) -> tuple[float, ...]:
    for number in range(LISTED):
        path = folder / 'tree' / NAME.format(number // 10_000, number // 100, number)
        if number % 100 == 0:
            path.parent.mkdir(parents=True)
        path.touch()
    before = _peak()
    return _seconds(lambda: prepare_job(str(folder / 'tree'), str(folder / 'job'))), _peak() - before


def _measure_many(folder: Path) -> tuple[float, ...]:
    names = (NAME.format(number // 10_000, number // 100, number) for number in range(MANY))
    with mock.patch.object(job_module, 'list_photos', return_value=names):
        before = _peak()
        seconds = _seconds(lambda: prepare_job(str(folder / 'tree'), str(folder / 'job')))
    files = [path.stat().st_size for path in (folder / 'job/manifest').rglob('*.parquet')]
    return seconds, _peak() - before, sum(files), len(files)


class IdleActor:
    """Says of every shard that it is done. Of the main module, so that Ray's workers import nothing for it."""

    def __init__(self, worker: object) -> None:
        del worker

    def __call__(self, batch: Mapping[str, Sequence[int]]) -> dict[str, list[str]]:
        outcome = '{"shard": %d, "state": "done", "statuses": {"ok": 1000}}'
        return {'outcome': [outcome % shard for shard in batch['shard']]}


def _measure_scheduling(folder: Path) -> tuple[float, ...]:
    del folder
    from ray.cluster_utils import Cluster

    load_ray()
    cluster = Cluster(initialize_head=True, head_node_args={'num_cpus': 1, 'include_dashboard': False})
    for _ in range(NODES):
        cluster.add_node(num_cpus=1)
    worker, first, before = SimpleNamespace(threads=1), 0.0, _peak()
    with (
        mock.patch.object(ray_workers_module, '_Actor', IdleActor),
        ray_workers_module.ray_workers(worker, NODES, 1, address=cluster.address, on_gpus=False) as schedule,
    ):
        start = time.perf_counter()
        for number, _ in enumerate(schedule(range(SCHEDULED))):
            first = first if number else time.perf_counter() - start
        seconds = time.perf_counter() - start
    cluster.shutdown()
    return seconds, first, _peak() - before


def _measure_verifying(folder: Path) -> tuple[float, ...]:
    output = str(folder / 'job')
    names = (NAME.format(number // 10_000, number // 100, number) for number in range(VERIFIED))
    with mock.patch.object(job_module, 'list_photos', return_value=names):
        job, _ = prepare_job(str(folder / 'tree'), output)
    _fill(open_store(output), job)
    before = _peak()
    return _seconds(lambda: verify_job(output)), _peak() - before


def _fill(store: Store, job: Job) -> None:
    """Results of photos that all have failed: verifying has no files to look for."""
    for shard in range(job.shards):
        rows = [ResultRow(path, None, 1, 'error', 'not an image', 'InputError') for path in job.paths(store, shard)]
        store.write(result_file(shard), result_table(rows))


def _measure_scaling(folder: Path) -> tuple[float, ...]:
    (folder / 'tree').mkdir()
    for number in range(RESTORED):
        photo = np.roll(astronaut()[:256, 100:356], number % 16, axis=0)
        cv2.imwrite(str(folder / f'tree/{number:03d}.jpg'), cv2.resize(cv2.resize(photo, (96, 96)), (256, 256)))
    return tuple(_photos_a_second(folder, count) for count in (1, 2))


def _photos_a_second(folder: Path, count: int) -> float:
    """Between the first shard of each worker, with which it has started, and the last one."""
    output = str(folder / f'job{count}')
    prepare_job(str(folder / 'tree'), output, shard_size=SHARD)
    times: list[float] = []
    worker = ShardWorker(output, PhotoOptions(), partial(DAEFRRestorer, upscale=1, device='cpu', offline=True))
    with ray_workers_module.ray_workers(
        worker, count, 1, on_gpus=False, init={'_temp_dir': str(folder / f'ray{count}')}
    ) as schedule:

        def timed(shards: Sequence[int]) -> Iterator[dict[str, object]]:
            for outcome in schedule(shards):
                times.append(time.perf_counter())
                yield outcome

        run_job(output, timed)
    # from when both work to when one has nothing more to do
    begun, ended = times[count - 1], times[-count]
    return (len(times) - count - (count - 1)) * SHARD / (ended - begun)


def _seconds(function: Callable[[], object]) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def _peak() -> float:
    """MiB of this process, at most until now."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10


def main() -> None:
    """Measures what is named, and prints the numbers."""
    with tempfile.TemporaryDirectory(prefix='daefr-', dir='/tmp') as folder:
        print(*globals()[f'_measure_{sys.argv[1]}'](Path(folder)))


if __name__ == '__main__':
    main()
