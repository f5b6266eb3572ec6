"""One worker without Ray, in a process of its own, which is replaced when it dies: for SLURM arrays and the like."""

import multiprocessing
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

from daefr_arch.cluster.run_job import Schedule
from daefr_arch.cluster.worker import ShardWorker
from daefr_arch.errors import StorageError

STARTS = 3  # after which a worker that dies before its first shard is given up


@contextmanager
def single_worker(worker: ShardWorker, *, method: str = 'spawn') -> Iterator[Schedule]:
    """Inside, what is given hands shards to a process that is a copy of `worker`. method: of multiprocessing."""
    processes = _Processes(worker, method)
    try:
        yield processes.schedule
    finally:
        processes.end()


class _Processes:
    """One after the other."""

    def __init__(self, worker: ShardWorker, method: str) -> None:
        self._worker = worker
        self._context: Any = multiprocessing.get_context(method)
        self._process: BaseProcess | None = None
        self._connection: Connection | None = None
        self._is_new = True

    def schedule(self, shards: Sequence[int]) -> Iterator[dict[str, Any]]:
        """What becomes of the shards, one by one."""
        for shard in shards:
            yield self._restore(shard)

    def end(self) -> None:
        """Ends the process."""
        if self._process is not None:
            self._process.kill()
            self._process.join()

    def _restore(self, shard: int) -> dict[str, Any]:
        deaths = 0
        while True:
            connection = self._living()
            started = True
            try:
                if self._is_new:
                    started = False
                    failure = connection.recv()
                    if failure is not None:
                        return {'shard': shard, **failure}
                    started, self._is_new = True, False
                connection.send(shard)
                return connection.recv()
            except (EOFError, OSError):
                assert self._process is not None
                self._process.join()
                code, self._process = self._process.exitcode, None
                deaths = 0 if started else deaths + 1
                if deaths == STARTS:
                    raise StorageError(f'the worker dies as it starts (exit code {code})') from None

    def _living(self) -> Connection:
        if self._process is None:
            self._connection, theirs = self._context.Pipe()
            self._process = self._context.Process(target=_serve, args=(self._worker, theirs), daemon=True)
            self._process.start()
            theirs.close()
            self._is_new = True
        assert self._connection is not None
        return self._connection


def _serve(worker: ShardWorker, connection: Connection) -> None:
    """The worker's process: until its parent ends, shards in, outcomes out."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    connection.send(worker.try_start())
    while connection in wait([connection, parent.sentinel]):
        try:
            shard = connection.recv()
        except EOFError:
            return
        connection.send(worker.restore(shard))
