"""A photo from its file to the files of its results."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from daefr_arch.errors import DAEFRError
from daefr_arch.io.photo import Photo
from daefr_arch.restoration.photo_work import PhotoWork
from daefr_arch.restoration.report import FAILED, NO_FACE, PARTIAL, RESTORED, PhotoReport

# status of a PhotoReport -> status of a line of the report
_STATUSES = {RESTORED: 'ok', NO_FACE: 'no_face', PARTIAL: 'partial', FAILED: 'error'}
# what one photo may raise without stopping the others
PHOTO_ERRORS = (DAEFRError, OSError, RuntimeError, ValueError, MemoryError, cv2.error)

_logger = logging.getLogger(__name__)


@dataclass
class PhotoJob:
    """One photo on its way: what is known of it, and its results until they are written; `photo` until it is pasted."""

    source: Path
    photo: Photo | None = None
    work: PhotoWork | None = None
    report: PhotoReport = field(default_factory=PhotoReport)
    seconds: dict[str, float] = field(default_factory=dict)
    error: str | None = None
    crops: list[np.ndarray] = field(default_factory=list)
    faces: list[np.ndarray] = field(default_factory=list)
    evidence_maps: list[np.ndarray] = field(default_factory=list)
    restored: Photo | None = None
    warnings: tuple[str, ...] = ()
    damaged: bool = False

    @contextmanager
    def step(self, name: str | None = None) -> Iterator[None]:
        """Marks the photo as failed where the step raises what a photo may raise; notes its seconds as `name`."""
        start = time.perf_counter()
        try:
            yield
        except PHOTO_ERRORS as error:
            self.fail(error)
        if name:
            self.seconds[name] = time.perf_counter() - start

    def fail(self, error: Exception) -> None:
        """Marks the photo as failed: nothing of it is written."""
        self.error = str(error)
        self.photo = self.work = None
        named = self.source.name in self.error  # as errors of reading do
        _logger.error('%s', self.error if named else f'{self.source.name}: {self.error}')

    @property
    def pixels(self) -> int:
        """Of the decoded photo; 0 where there is none."""
        return 0 if self.photo is None else self.photo.pixels[..., 0].size

    @property
    def status(self) -> str:
        """Of the photo's line; 'damaged' where the file was, and nothing worse is to be said."""
        status = 'error' if self.error else _STATUSES[self.report.status]
        return 'damaged' if self.damaged and status in ('ok', 'no_face') else status

    def line(self, outputs: dict[str, list[str]]) -> dict[str, Any]:
        """The photo's line of the report."""
        described = self.report.as_dict()
        seconds = {**self.seconds, **described['seconds']}
        return {
            'input': str(self.source),
            'status': self.status,
            'error': self.error,
            'outputs': outputs,
            'faces': described['faces'],
            'seconds': {name: round(value, 4) for name, value in seconds.items()},
            'warnings': [*self.warnings, *described['warnings']],
        }
