"""A worker: loads the restorer once, then does the shards that it is given."""

import sys
from typing import Any

from daefr_arch.cluster.job import Job, read_job
from daefr_arch.cluster.settings import BuildRestorer, PhotoOptions, agree
from daefr_arch.cluster.shard import restore_shard
from daefr_arch.cluster.store import Store, absolute, open_store
from daefr_arch.errors import DAEFRError

FAILED = 'failed'


class ShardWorker:
    """Does shards, and never raises: what it says of one is plain, and goes between processes.

    Args:
        output: address of the job.
        options: how photos are restored.
        build: makes the restorer, here.
        threads: of the processor; None: as many as there are.
    """

    def __init__(self, output: str, options: PhotoOptions, build: BuildRestorer, *, threads: int | None = None) -> None:
        self._output = absolute(output)
        self._options = options
        self._build = build
        self.threads = threads
        self._ready: tuple[Job, Store, Any] | None = None

    def start(self) -> None:
        """Loads the restorer, and checks that the job's other photos are restored as by this one.

        Raises:
            DAEFRError: weights or the job are not there, or options differ.
        """
        store = open_store(self._output)
        job = read_job(store)
        restorer = self._build()
        if self.threads is not None:
            _use_threads(self.threads)
        agree(store, self._options, restorer)
        self._ready = job, store, restorer

    def restore(self, shard: int) -> dict[str, Any]:
        """Does a shard. Returns `shard`, `state` ('done', 'busy': another worker has it, 'failed') and `statuses`, or
        `error` and `error_class` where nobody can go on, as with a full disk."""
        failure = self.try_start()
        if failure is not None:
            return {'shard': shard, **failure}
        assert self._ready is not None
        job, store, restorer = self._ready
        try:
            outcome = restore_shard(job, store, shard, restorer, self._options)
        except DAEFRError as error:
            return {'shard': shard, **_failure(error)}
        return {'shard': shard, 'state': outcome.state, 'statuses': dict(outcome.statuses)}

    def try_start(self) -> dict[str, str] | None:
        """Starts, unless it has; where it cannot, `state`, `error` and `error_class` as those of `restore`."""
        if self._ready is None:
            try:
                self.start()
            except DAEFRError as error:
                return _failure(error)
        return None


def _failure(error: DAEFRError) -> dict[str, str]:
    return {'state': FAILED, 'error': str(error), 'error_class': type(error).__name__}


def _use_threads(threads: int) -> None:
    import cv2

    cv2.setNumThreads(threads)
    if 'torch' in sys.modules:
        sys.modules['torch'].set_num_threads(threads)
