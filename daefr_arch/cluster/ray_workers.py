"""Workers on Ray: one a GPU, or a group of processor cores, here or on a cluster. Ray Data hands them shards."""

import functools
import json
import logging
import os
import signal
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from daefr_arch.cluster.libraries import load_ray
from daefr_arch.cluster.run_job import Schedule
from daefr_arch.cluster.worker import ShardWorker
from daefr_arch.cluster.worker_process import WorkerProcess
from daefr_arch.errors import StorageError, UsageError

_PATIENCE = 10  # seconds until a machine has answered
THREADS = 4  # of a worker without a GPU, where there are as many cores


@dataclass(frozen=True)
class Workers:
    """How many, with how many processor cores and GPUs each."""

    count: int
    threads: int
    gpus: int


class _Actor:
    """What Ray Data calls with batches of one shard. The work is done by a process below it, which is replaced at once
    where it dies; Ray replaces the actor."""

    def __init__(self, worker: ShardWorker) -> None:
        self._process = WorkerProcess(worker)

    def __call__(self, batch: Mapping[str, Any]) -> dict[str, list[str]]:
        return {'outcome': [json.dumps(self._process.restore(int(shard))) for shard in batch['shard']]}


@contextmanager
def ray_workers(
    worker: ShardWorker,
    workers: int | None,
    threads: int | None,
    *,
    address: str | None = None,
    on_gpus: bool = True,
    init: dict[str, Any] | None = None,
) -> Iterator[Schedule]:
    """Inside, Ray runs; what is given hands shards to its workers. A worker that dies is replaced.

    Args:
        worker: what each worker is a copy of.
        workers: how many; None: one a GPU, or a group of `threads` cores.
        threads: of a worker; None: the cores by the workers.
        address: of a running cluster, 'auto' for that of this machine; None: Ray is started here, and ended.
        on_gpus: take the GPUs, where there are any.
        init: further arguments of ray.init.

    Raises:
        UsageError: Ray is not installed or not there, or has not as many cores or GPUs.
    """
    if address:
        _check_reachable(address)
    ray = load_ray()
    own = None if address else {'num_cpus': _cores() + 1, 'include_dashboard': False}  # one for Ray's own tasks
    os.environ.setdefault('RAY_USAGE_STATS_ENABLED', '0')  # it tells its makers nothing unless the user wants it to
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR, **(own or {}), **(init or {}))
    except (ConnectionError, ValueError) as error:
        raise UsageError(f'--address {address}: Ray cannot be reached: {error}') from error
    for name in ('ray', 'ray.data'):
        logging.getLogger(name).setLevel(logging.ERROR)
    for number, handler in handlers.items():
        signal.signal(number, handler)
    try:
        counted = _counted(ray.cluster_resources(), workers, threads, on_gpus=on_gpus, spare=0 if address else 1)
        worker.threads = counted.threads
        yield functools.partial(_schedule, ray, worker, counted)
    finally:
        ray.shutdown()


def _check_reachable(address: str) -> None:
    """Raises UsageError where nobody listens: Ray itself would try again for many minutes."""
    host, _, port = address.removeprefix('ray://').rpartition(':')
    if not port.isdigit():  # 'auto' and the like
        return
    try:
        socket.create_connection((host.strip('[]'), int(port)), timeout=_PATIENCE).close()
    except OSError as error:
        raise UsageError(f'--address {address}: Ray cannot be reached: {error.strerror or error}') from error


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count() or 1


def _counted(
    resources: dict[str, float], workers: int | None, threads: int | None, *, on_gpus: bool, spare: int
) -> Workers:
    """The workers, by what Ray has."""
    cores, gpus = int(resources.get('CPU', 0)) - spare, int(resources.get('GPU', 0)) if on_gpus else 0
    count = workers or gpus or max(1, cores // (threads or min(THREADS, max(1, cores))))
    each = threads or max(1, cores // count)
    if count * each > cores:
        raise UsageError(f'{count} workers of {each} threads need {count * each} cores, Ray has {cores}')
    if gpus and count > gpus:
        raise UsageError(f'{count} workers need as many GPUs, Ray has {gpus}: take fewer --workers, or --device cpu')
    return Workers(count, each, 1 if gpus else 0)


def _schedule(ray: Any, worker: ShardWorker, workers: Workers, shards: Sequence[int]) -> Iterator[dict[str, Any]]:
    ray.data.DataContext.get_current().enable_progress_bars = False
    # Ray Data restarts actors that die, and gives them their shard again, without end
    outcomes = ray.data.from_items([{'shard': shard} for shard in shards], override_num_blocks=len(shards)).map_batches(
        _Actor,
        batch_size=1,
        fn_constructor_args=(worker,),
        compute=ray.data.ActorPoolStrategy(size=min(workers.count, len(shards)), max_tasks_in_flight_per_actor=1),
        num_cpus=workers.threads,
        num_gpus=workers.gpus,
    )
    try:
        for row in outcomes.iter_rows():
            yield json.loads(row['outcome'])
    except ray.exceptions.RayError as error:
        raise StorageError(f'Ray cannot go on: {error}') from error
