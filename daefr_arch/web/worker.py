"""The one thread that restores: waiting photos in groups whose faces share batches, changes of finished ones first."""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import TypeVar

from daefr_arch.restoration.photo_folder import PHOTOS_A_GROUP, RESULT_PIXELS_A_GROUP
from daefr_arch.web import job as states
from daefr_arch.web.job import Job
from daefr_arch.web.photo_steps import OpenPhoto, PhotoSteps
from daefr_arch.web.settings import FacePoint, ResultSettings
from daefr_arch.web.storage import remove_folder

_logger = logging.getLogger(__name__)

Result = TypeVar('Result')


class Worker(threading.Thread):
    """Works until `end`. Where one photo fails, the others go on; a cancelled one is left at the next step or batch."""

    def __init__(self, steps: PhotoSteps) -> None:
        super().__init__(name='daefr-web-worker', daemon=True)
        self.steps = steps
        self._new: deque[Job] = deque()
        self._changed: deque[Job] = deque()
        self._ending = False
        self._wake = threading.Condition()

    def restore(self, job: Job) -> None:
        """Puts a new photo at the end of the queue."""
        with self._wake:
            self._new.append(job)
            self._wake.notify()

    def change(self, job: Job, changes: ResultSettings | FacePoint) -> None:
        """Asks for other settings, or for one more face; a photo that is being worked on takes them in at the end."""
        with self._wake:
            job.notice = None
            if isinstance(changes, FacePoint):
                job.points.append(changes)
            else:
                job.settings = job.settings.model_copy(update=changes.model_dump(exclude_unset=True))
            if job.state == states.DONE:
                job.state, job.step = states.WORKING, states.FINISHING
                self._changed.append(job)
            elif job.state == states.FAILED:
                job.state, job.error = states.WAITING, None
                self._new.append(job)
            self._wake.notify()

    def end(self) -> None:
        """Lets the thread end after the step that it is at."""
        with self._wake:
            self._ending = True
            self._wake.notify()

    def run(self) -> None:
        """What the thread does."""
        while True:
            with self._wake:
                self._wake.wait_for(lambda: self._ending or self._new or self._changed)
                if self._ending:
                    return
            self._serve_changes()
            self._restore_group(self._next_group())

    def _next_group(self) -> list[Job]:
        """The first waiting photos, as many as are worked on together."""
        group: list[Job] = []
        pixels = 0.0
        with self._wake:
            while self._new and len(group) < PHOTOS_A_GROUP:
                job = self._new[0]
                pixels += job.width * job.height * job.settings.upscale**2
                if group and pixels > RESULT_PIXELS_A_GROUP:
                    break
                group.append(self._new.popleft())
        return group

    def _restore_group(self, jobs: Sequence[Job]) -> None:
        opened = []
        for job in jobs:
            photo = self._attempt(job, states.FINDING, self.steps.find, job)
            if photo is not None and self._judge(photo):
                opened.append(photo)
            self._serve_changes()
        self._show_network(opened)
        while opened:  # each is let go as soon as it is done
            photo = opened.pop(0)
            self._finish(photo)
            del photo
            self._serve_changes()

    def _serve_changes(self) -> None:
        """Somebody is looking at these."""
        while self._changed and not self._ending:
            with self._wake:
                job = self._changed.popleft()
            photo = self._attempt(job, states.FINISHING, self.steps.open, job)
            if photo is not None and self._judge(photo):
                self._show_network([photo])
                self._finish(photo)

    def _judge(self, photo: OpenPhoto) -> bool:
        photo.job.faces += photo.found[len(photo.job.faces) :]
        self._attempt(photo.job, photo.job.step, self.steps.judge, photo)
        return self._is_wanted(photo.job)

    def _show_network(self, opened: Sequence[OpenPhoto]) -> None:
        """The network sees the faces that it has to, of all photos in shared batches."""
        for photo in opened:
            photo.settings = photo.job.settings
        todo = [(photo, face) for photo in opened for face in photo.faces.unseen(photo.settings.weight)]
        for photo in {id(photo): photo for photo, _ in todo}.values():
            photo.job.step, photo.job.faces_done = states.RESTORING, 0
            photo.job.faces_to_do = sum(of is photo for of, _ in todo)
        while todo := [(photo, face) for photo, face in todo if self._is_wanted(photo.job)]:
            batch, todo = todo[: self.steps.faces_a_pass], todo[self.steps.faces_a_pass :]
            try:
                self._show_batch(batch)
            except Exception:  # noqa: BLE001  whatever it is, it is one photo's
                for one in batch:  # the others of the batch go on without the one that it fails for
                    self._attempt(one[0].job, states.RESTORING, self._show_batch, [one])

    def _show_batch(self, batch: Sequence[tuple[OpenPhoto, int]]) -> None:
        restored = self.steps.network_faces([photo.faces.crops[face] for photo, face in batch])
        for (photo, face), network_face in zip(batch, restored, strict=True):
            photo.faces.network_faces[face], photo.faces.seen[face] = network_face, True
            photo.job.faces_done += 1

    def _finish(self, photo: OpenPhoto) -> None:
        """Writes the result, unless something else is wanted by now: then it is next."""
        job = photo.job
        done = self._attempt(job, states.FINISHING, self.steps.finish, photo)
        with self._wake:
            if not self._is_wanted(job):
                return
            if done and job.settings is photo.settings and not job.points:
                job.state, job.step = states.DONE, ''
            else:
                self._changed.append(job)

    def _attempt(self, job: Job, step: str, function: Callable[..., Result], *arguments: object) -> Result | None:
        """What the function returns; None where the job is over: cancelled, or failed now or before."""
        if not self._is_wanted(job):
            return None
        job.state, job.step, job.changed_at = states.WORKING, step, time.monotonic()
        try:
            return function(*arguments)
        except Exception as error:  # noqa: BLE001  whatever it is, it is this photo's: the next one may be fine
            if not job.cancelled:
                _logger.warning('%s: %s', job.id, error)
                # names are the server's own: its user knows the photo by another
                job.error = (
                    (str(error) or type(error).__name__).removeprefix(f'{job.source}: ').replace(str(job.folder), '')
                )
                job.state, job.step = states.FAILED, ''
            return None
        finally:
            job.changed_at = time.monotonic()
            if job.cancelled:
                remove_folder(job.folder)

    def _is_wanted(self, job: Job) -> bool:
        return not (job.cancelled or self._ending or job.state == states.FAILED)
