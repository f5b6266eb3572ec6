"""A worker in a process of its own, which is replaced when it dies. Alone it is what SLURM arrays and the like call."""

import multiprocessing
import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

from daefr_arch.cluster.run_job import Schedule
from daefr_arch.cluster.worker import FAILED, ShardWorker

STARTS = 3  # after so many deaths before its first shard a worker is given up
# What the processes are forked of: it has imported all, and begun nothing. So a new worker need not wait for that, and
# a photo that kills a dozen before it is found costs seconds.
_METHOD = 'forkserver' if 'forkserver' in multiprocessing.get_all_start_methods() else 'spawn'
_IMPORTED = ['__main__', 'daefr_arch.cluster.worker', 'daefr_arch.restoration.restorer', 'daefr_arch.faces.retinaface']


class WorkerProcess:
    """Hands shards to a process that is a copy of `worker`, one after the other as they die."""

    def __init__(self, worker: ShardWorker) -> None:
        self._worker = worker
        self._process: BaseProcess | None = None
        self._connection: Connection | None = None
        self._is_new = True

    def restore(self, shard: int) -> dict[str, Any]:
        """As ShardWorker.restore; 'failed' too where the processes die as they start."""
        for _ in range(STARTS):
            try:
                failure = self._started()
                while failure is None:
                    assert self._connection is not None
                    try:
                        self._connection.send(shard)
                        return self._connection.recv()
                    except (EOFError, OSError):  # it died of what the shard's attempts say: the next one goes on
                        self._bury()
                    failure = self._started()
                return {'shard': shard, **failure}
            except (EOFError, OSError):
                code = self._bury()
        error = f'the worker dies as it starts (exit code {code})'
        return {'shard': shard, 'state': FAILED, 'error': error, 'error_class': 'StorageError'}

    def end(self) -> None:
        """Ends the process."""
        if self._process is not None:
            self._process.kill()
            self._bury()

    def _started(self) -> dict[str, str] | None:
        """Starts a process unless there is one; returns what keeps it from working. Raises EOFError where it died."""
        if self._process is None:
            context = process_context()
            self._connection, theirs = context.Pipe()
            self._process = context.Process(target=_serve, args=(self._worker, theirs), daemon=True)
            self._process.start()
            theirs.close()
            self._is_new = True
        assert self._connection is not None
        failure = self._connection.recv() if self._is_new else None
        self._is_new = False
        return failure

    def _bury(self) -> int | None:
        """Waits for the end of the process; returns its exit code."""
        assert self._process is not None
        self._process.join()
        code, self._process = self._process.exitcode, None
        return code


def process_context() -> Any:
    """What makes the processes."""
    context: Any = multiprocessing.get_context(_METHOD)
    if _METHOD == 'forkserver':
        context.set_forkserver_preload(_IMPORTED)
    return context


@contextmanager
def single_worker(worker: ShardWorker) -> Iterator[Schedule]:
    """Inside, what is given hands shards to one worker."""
    process = WorkerProcess(worker)

    def schedule(shards: Sequence[int]) -> Iterator[dict[str, Any]]:
        return (process.restore(shard) for shard in shards)

    try:
        yield schedule
    finally:
        process.end()


def _serve(worker: ShardWorker, connection: Connection) -> None:
    """The worker's process: shards in, outcomes out."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    connection.send(worker.try_start())
    while True:
        try:
            shard = connection.recv()
        except EOFError:
            return
        connection.send(worker.restore(shard))


def _end_with_parent() -> None:
    """Else it would hold its GPU while another worker takes its place."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    wait([parent.sentinel])
    os._exit(1)
