"""The files of a photo's results: made out of sight, and put in place together once the report names them."""

import errno
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, wait
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from daefr_arch.errors import OutputError, StorageError
from daefr_arch.io.atomic_file import output_error, write_bytes
from daefr_arch.io.image_file import write_image
from daefr_arch.io.json_lines import JsonLinesWriter
from daefr_arch.io.photo import Photo
from daefr_arch.restoration.earlier_runs import EarlierRuns
from daefr_arch.restoration.output_layout import OutputLayout, make_folders
from daefr_arch.restoration.photo_job import PhotoJob
from daefr_arch.restoration.report import FAILED, PhotoReport

Outputs = dict[str, list[str]]


class PhotoFiles:
    """Writes the files of photos, and their lines of the report.

    A killed run leaves of each photo either its line and all its files, or what makes it a photo to be done again: a
    line whose files are not all there, or no line. Files that were there before stay whole until then. `full` is what
    stopped all writing, if anything did.

    Args:
        layout: where the files belong.
        staging: a folder on the same file system, for files on their way.
        lines: the report.
        earlier: what it says of runs before.
        upscale: of whole photos.
        draw_box: draw the detected boxes into them.
    """

    def __init__(
        self,
        layout: OutputLayout,
        staging: Path,
        lines: JsonLinesWriter,
        earlier: EarlierRuns,
        *,
        upscale: float,
        draw_box: bool,
    ) -> None:
        self._layout = layout
        self._staged = replace(layout, root=staging)
        self._lines = lines
        self._earlier = earlier
        self._upscale = upscale
        self._draw_box = draw_box
        self.full: StorageError | None = None
        make_folders(self._staged)

    def write(self, pasted: 'Future[PhotoJob]', before: 'Future[Any] | None') -> dict[str, Any]:
        """Writes the files of a photo and its line, behind that of the photo `before`; returns the line.

        Raises:
            StorageError: nothing more can be written.
        """
        if self.full is not None:
            raise self.full
        job = pasted.result()
        try:
            return self._write(job, before)
        except StorageError as error:
            self.full = error
            raise

    def _write(self, job: PhotoJob, before: 'Future[Any] | None') -> dict[str, Any]:
        outputs: Outputs = {}
        files: dict[Path, Path] = {}  # staged -> final, the result last
        try:
            with job.step('write'):
                if job.error is None:
                    for kind, path, image in self._pictures(job):
                        final = self._layout.root / path.relative_to(self._staged.root)
                        files[path] = final
                        job.warnings += _write(path, image, final)
                        outputs.setdefault(kind, []).append(str(final))
            job.let_go()
            if before is not None:
                wait([before])  # lines are in the order of the photos
            with job.step():
                if job.error is None:
                    return self._publish(job, files, outputs)
            line = job.line({})
            self._lines.write(line)
            return line
        finally:
            for staged in files:
                staged.unlink(missing_ok=True)

    def _publish(self, job: PhotoJob, files: dict[Path, Path], outputs: Outputs) -> dict[str, Any]:
        """Puts the files in place, the result last; before that the line, and before the line earlier files go.

        So whenever the process is killed, the newest line names a file that is not there, or all is done.
        """
        line = job.line(outputs)
        result = self._layout.result(job.source.name)
        with self._lines.locked():  # so that of two runs in one folder, line and files are of the same one
            with self._set_aside([result, *self._earlier.surplus_faces(job.source, set(files.values()))]):
                self._lines.write(line)
            try:
                for staged, final in sorted(files.items(), key=lambda pair: pair[1] == result):
                    _move(staged, final)
            except OutputError:
                for final in files.values():
                    final.unlink(missing_ok=True)
                raise
        return line

    @contextmanager
    def _set_aside(self, earlier: Sequence[Path]) -> Iterator[None]:
        """Inside, these files are not in their places, where they are there; at the end they are gone, or back after
        an error."""
        moved: dict[Path, Path] = {}
        try:
            for file in earlier:
                aside = self._staged.root / f'earlier {file.parent.name} {file.name}'
                if file.exists():
                    _move(file, aside)
                    moved[aside] = file
            yield
        except BaseException:
            for aside, file in moved.items():
                _move(aside, file)
            raise
        for aside in moved:
            aside.unlink(missing_ok=True)

    def _pictures(self, job: PhotoJob) -> Iterator[tuple[str, Path, np.ndarray | Photo]]:
        """What to write: kind, path in the staging folder, image."""
        name, layout = job.source.name, self._staged
        restored = [index for index, face in enumerate(job.report.faces) if face.status != FAILED]
        for index, crop, face in zip(restored, job.crops, job.faces, strict=True):
            if path := layout.cropped_face(name, index):
                yield 'cropped_faces', path, crop
            # an aligned face is the whole result: it carries what its photo does
            result = job.restored if layout.has_aligned and job.restored is not None else face
            yield 'restored_faces', layout.restored_face(name, index), result
            if path := layout.comparison(name, index):
                yield 'cmp', path, np.hstack((crop, face))
        for index, picture in zip(restored, job.evidence_maps, strict=layout.evidence_maps):
            yield 'evidence_maps', layout.evidence_map(name, index), picture
        path = layout.photo(name)
        if path and job.restored is not None:
            yield 'photo', path, self._whole(job.restored, job.report)

    def _whole(self, photo: Photo, report: PhotoReport) -> Photo:
        """The photo, with the boxes of its faces drawn in green if they are asked for."""
        if not self._draw_box:
            return photo
        pixels = photo.pixels.copy()
        thickness = max(1, round(max(pixels.shape) / 500))
        for face in report.faces:
            if face.box is not None:
                x0, y0, x1, y1 = (round(value * self._upscale) for value in face.box)
                cv2.rectangle(pixels, (x0, y0), (x1, y1), (0, np.iinfo(pixels.dtype).max, 0), thickness)
        # a profile of grey does not fit what is green now
        return replace(photo, pixels=pixels, grey=False, icc_profile=None if photo.grey else photo.icc_profile)


def _write(path: Path, image: np.ndarray | Photo, final: Path) -> tuple[str, ...]:
    """As write_image; errors name `final`, which is what a user knows."""
    try:
        return write_image(path, image)
    except OutputError as error:
        raise type(error)(str(error).replace(str(path), str(final))) from error


def _move(source: Path, target: Path) -> None:
    """Renames the file; where `target` lies on another file system, as behind a link, it is written there.

    Raises:
        OutputError: it cannot be written.
    """
    try:
        os.replace(source, target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise output_error(target, error) from error
        write_bytes(target, source.read_bytes())
        source.unlink(missing_ok=True)
