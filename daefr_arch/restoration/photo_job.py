"""A photo from its file to the files of its results."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from daefr_arch.errors import DAEFRError, StorageError
from daefr_arch.io.photo import Photo
from daefr_arch.restoration.photo_source import PhotoSource
from daefr_arch.restoration.photo_work import PhotoWork
from daefr_arch.restoration.report import FAILED, NO_FACE, PARTIAL, RESTORED, PhotoReport

# status of a PhotoReport -> status of a line of the report
_STATUSES = {RESTORED: 'ok', NO_FACE: 'no_face', PARTIAL: 'partial', FAILED: 'error'}

_logger = logging.getLogger(__name__)


@dataclass
class PhotoJob:
    """One photo on its way: what is known of it, and its results until they are written; `photo` until it is pasted."""

    source: PhotoSource
    photo: Photo | None = None
    work: PhotoWork | None = None
    report: PhotoReport = field(default_factory=PhotoReport)
    seconds: dict[str, float] = field(default_factory=dict)
    error: str | None = None
    error_class: str | None = None
    crops: list[np.ndarray] = field(default_factory=list)
    faces: list[np.ndarray] = field(default_factory=list)
    evidence_maps: list[np.ndarray] = field(default_factory=list)
    restored: Photo | None = None
    warnings: tuple[str, ...] = ()
    damaged: bool = False

    @contextmanager
    def step(self, name: str | None = None) -> Iterator[None]:
        """Marks the photo as failed where the step raises anything; notes its seconds as `name`.

        Raises:
            StorageError: nothing more can be written, of other photos neither.
        """
        start = time.perf_counter()
        try:
            yield
        except StorageError:
            raise
        except Exception as error:  # noqa: BLE001  whatever it is, it is this photo's: the next one may be fine
            self.fail(error)
        if name:
            self.seconds[name] = time.perf_counter() - start

    def fail(self, error: Exception) -> None:
        """Marks the photo as failed: nothing of it is written."""
        self.error_class, text = type(error).__name__, str(error)
        expected = isinstance(error, DAEFRError) and text
        self.error = text if expected else f'{self.error_class}: {text}' if text else self.error_class
        self.photo = self.work = None
        named = self.source.path.name in self.error  # as errors of reading do
        _logger.error('%s', self.error if named else f'{self.source.name.name}: {self.error}')
        _logger.debug('%s', self.source, exc_info=error)

    def let_go(self) -> None:
        """Frees the pixels of the results."""
        self.crops, self.faces, self.evidence_maps, self.restored = [], [], [], None

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
            'input': str(self.source.path),
            'page': self.source.page,
            'status': self.status,
            'error': self.error,
            'error_class': self.error_class,
            'outputs': outputs,
            'faces': described['faces'],
            'precision': described['precision'],
            'backend': described['backend'],
            'seconds': {name: round(value, 4) for name, value in seconds.items()},
            'warnings': [*self.warnings, *described['warnings']],
        }
