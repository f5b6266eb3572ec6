"""A photo on the server: what is known of it, and where its files lie."""

import time
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import Any

from daefr_arch.io.image_formats import format_of
from daefr_arch.restoration.output_layout import OutputLayout
from daefr_arch.restoration.report import FaceReport
from daefr_arch.web.settings import FacePoint, PhotoSettings

WAITING, WORKING, DONE, FAILED = 'waiting', 'working', 'done', 'failed'
FINDING, RESTORING, FINISHING = 'finding faces', 'restoring faces', 'putting the photo together'


@dataclass
class Job:
    """One photo from its upload to its removal.

    The names of its files are the server's; `name`, the sender's, is only ever shown.

    Attributes:
        id: unguessable.
        name: of the file that was sent, without folders.
        folder: holds the files of the job and nothing else.
        width, height: of the photo, in pixels.
        settings: the newest that were asked for.
        state: WAITING, WORKING, DONE or FAILED. step: of a job at work. faces_done, faces_to_do: of that step.
        error: why it failed, in words. notice: what became of the last face that was asked for. warnings: of the photo.
        found: the faces as they were found. faces: what became of each, parallel to them once there is a result.
        points: where more faces are to be looked for.
        version: counts the results; pictures of an older one may be stale.
        result: the file of the newest result, and its name for the one who gets it.
        cancelled: nothing of it is wanted any more.
        changed_at: of time.monotonic, when it was last worked on.
    """

    id: str
    name: str
    folder: Path
    width: int
    height: int
    settings: PhotoSettings
    state: str = WAITING
    step: str = ''
    faces_done: int = 0
    faces_to_do: int = 0
    error: str | None = None
    notice: str | None = None
    warnings: list[str] = field(default_factory=list)
    found: list[FaceReport] = field(default_factory=list)
    faces: list[FaceReport] = field(default_factory=list)
    points: list[FacePoint] = field(default_factory=list)
    version: int = 0
    result: tuple[Path, str] | None = None
    cancelled: bool = False
    changed_at: float = field(default_factory=time.monotonic)

    @property
    def source(self) -> Path:
        """The photo as it was sent; only an extension that formats have is taken over, for what errors say of it."""
        extension = PurePath(self.name).suffix.lower()
        return self.folder / f'photo{extension if format_of(self.name) else ""}'

    @property
    def kept_faces(self) -> Path:
        """What the network made of its faces."""
        return self.folder / 'faces.npz'

    def picture(self, kind: str, face: int | None = None) -> Path:
        """A JPEG for the page: 'thumbnail', or 'before' and 'after' of the photo or around a face."""
        return self.folder / (f'{kind}.jpg' if face is None else f'{kind}-{face}.jpg')

    def result_name(self) -> str:
        """What `daefr restore` would call the result."""
        settings = self.settings
        return (
            OutputLayout(Path(), has_aligned=settings.has_aligned, extension=settings.ext).result(Path(self.name)).name
        )

    def as_dict(self, *, keep_seconds: float) -> dict[str, Any]:
        """For JSON; see `openapi.JOB`. keep_seconds: how long it is kept after it was worked on."""
        result = self.result if self.state == DONE else None  # else it is older than what was asked for
        at_rest = self.state in (DONE, FAILED)
        return {
            'id': self.id,
            'name': self.name,
            'state': self.state,
            'step': self.step,
            'faces_done': self.faces_done,
            'faces_to_do': self.faces_to_do,
            'error': self.error,
            'notice': self.notice,
            'warnings': list(self.warnings),
            'width': self.width,
            'height': self.height,
            'faces': [_face(index, face, self.settings) for index, face in enumerate(self.faces)],
            'settings': self.settings.model_dump(mode='json'),
            'version': self.version,
            'result': None if result is None else {'name': result[1], 'bytes': _size(result[0])},
            'seconds_left': round(keep_seconds - (time.monotonic() - self.changed_at)) if at_rest else None,
        }


def _face(index: int, report: FaceReport, settings: PhotoSettings) -> dict[str, Any]:
    is_left_out = index in settings.left_out
    return {
        'box': report.box,
        'status': report.status if report.evidence and not is_left_out else None,
        'left_out': is_left_out,
        'warnings': list(report.warnings),
    }


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:  # replaced by a newer one just now
        return 0
