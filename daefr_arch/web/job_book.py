"""The photos that a server has, by their ids."""

import secrets
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from daefr_arch.web.job import DONE, FAILED, Job
from daefr_arch.web.storage import remove_folder

ID_BYTES = 12


class JobBook:
    """All jobs; its methods may be called from any thread.

    Args:
        folder: gets a folder for each job.
        keep_seconds: how long a job is kept after it was last worked on.
        most_waiting: photos that are being sent or wait for the network, at most.
    """

    def __init__(self, folder: Path, *, keep_seconds: float, most_waiting: int) -> None:
        self.folder = folder
        self.keep_seconds = keep_seconds
        self.most_waiting = most_waiting
        self._jobs: dict[str, Job] = {}
        self._arriving = 0
        self._lock = threading.Lock()

    @contextmanager
    def room(self) -> Iterator[bool]:
        """Whether there is room for one more photo, which is being sent meanwhile."""
        with self._lock:
            waiting = sum(job.state not in (DONE, FAILED) for job in self._jobs.values())
            has_room = waiting + self._arriving < self.most_waiting
            self._arriving += has_room
        try:
            yield has_room
        finally:
            with self._lock:
                self._arriving -= has_room

    def new_folder(self) -> Path:
        """A folder for a job that is about to come, named after its id."""
        folder = self.folder / secrets.token_urlsafe(ID_BYTES)
        folder.mkdir()
        return folder

    def add(self, job: Job) -> None:
        """Takes a job in."""
        with self._lock:
            self._jobs[job.id] = job

    def get(self, ids: Iterable[str]) -> list[Job]:
        """The jobs of these ids, without those that are not there."""
        with self._lock:
            return [self._jobs[id_] for id_ in ids if id_ in self._jobs]

    def remove(self, job: Job) -> None:
        """Cancels the job, and removes all that is known of it."""
        with self._lock:
            self._jobs.pop(job.id, None)
        job.cancelled = True
        remove_folder(job.folder)

    def remove_expired(self) -> None:
        """Removes the jobs that were kept long enough."""
        oldest = time.monotonic() - self.keep_seconds
        with self._lock:
            expired = [job for job in self._jobs.values() if job.state in (DONE, FAILED) and job.changed_at < oldest]
        for job in expired:
            self.remove(job)
