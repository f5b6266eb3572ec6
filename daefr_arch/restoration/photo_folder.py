"""Many photos: files are decoded and written in threads while the restorer works on the faces of several at once.

Memory is bounded: at most two groups of photos and a few decoded ones are held, whatever the number of files.
"""

import logging
import time
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
from tqdm import tqdm
from tqdm.contrib.logging import logging_redirect_tqdm

from daefr_arch.errors import DAEFRError, InputError
from daefr_arch.restoration.image_file import DEFAULT_MAX_PIXELS, Photo, read_image, write_image
from daefr_arch.restoration.json_lines import JsonLinesWriter
from daefr_arch.restoration.output_layout import OutputLayout, make_folders
from daefr_arch.restoration.report import FAILED, NO_FACE, PARTIAL, RESTORED, PhotoReport

# status of a PhotoReport -> status of a line of the report
_STATUSES = {RESTORED: 'ok', NO_FACE: 'no_face', PARTIAL: 'partial', FAILED: 'error'}
DECODED_AHEAD = 4
PHOTOS_A_GROUP = 8
RESULT_PIXELS_A_GROUP = 64_000_000

# what one photo may raise without stopping the others
_PHOTO_ERRORS = (DAEFRError, OSError, RuntimeError, ValueError, MemoryError, cv2.error)

_logger = logging.getLogger(__name__)


class Restorer(Protocol):
    """What is asked of DAEFRRestorer."""

    upscale: float
    last_reports: list[PhotoReport]

    def enhance_batch(
        self, images: Sequence[np.ndarray], *, has_aligned: bool, only_center_face: bool, weight: float | None
    ) -> list[tuple[list[np.ndarray], list[np.ndarray], np.ndarray | None]]:
        """As DAEFRRestorer.enhance_batch."""


@dataclass
class _Job:
    """One photo on its way: what is known of it, and its results until they are written."""

    source: Path
    photo: Photo | None = None
    report: PhotoReport = field(default_factory=PhotoReport)
    seconds: dict[str, float] = field(default_factory=dict)
    error: str | None = None
    crops: list[np.ndarray] = field(default_factory=list)
    faces: list[np.ndarray] = field(default_factory=list)
    restored: np.ndarray | None = None
    warnings: tuple[str, ...] = ()

    def fail(self, error: Exception) -> None:
        """Marks the photo as failed: nothing of it is written."""
        self.error = str(error)
        self.photo = None
        _logger.error('%s: %s', self.source.name, error)

    def line(self, outputs: dict[str, list[str]]) -> dict[str, Any]:
        """The photo's line of the report."""
        status = 'error' if self.error else _STATUSES[self.report.status]
        described = self.report.as_dict()
        seconds = {**self.seconds, **described['seconds']}
        return {
            'input': str(self.source),
            'status': status,
            'error': self.error,
            'outputs': outputs,
            'faces': described['faces'],
            'seconds': {name: round(value, 4) for name, value in seconds.items()},
            'warnings': [*self.warnings, *described['warnings']],
        }


def restore_photos(
    restorer: Restorer,
    sources: Sequence[Path],
    layout: OutputLayout,
    *,
    report: Path,
    append: bool = False,
    only_center_face: bool = False,
    weight: float | None = None,
    draw_box: bool = False,
    max_pixels: int = DEFAULT_MAX_PIXELS,
    progress: bool = False,
) -> Counter[str]:
    """Restores photos from files to files; one that fails never stops the others.

    Args:
        restorer: a DAEFRRestorer, or an object with its `enhance_batch` and `last_reports`.
        sources: image files, checked by `plan_outputs`.
        layout: where the results go.
        report: JSON lines file, one line a photo in the order of `sources`: input, status ('ok', 'no_face': written
            without a restored face, 'partial': some faces failed, 'error': nothing written), error, outputs, faces,
            seconds, warnings.
        append: keep what the report holds.
        only_center_face, weight: of DAEFRRestorer.enhance.
        draw_box: draw the detected boxes into the whole photo.
        max_pixels: larger photos are an error.
        progress: show a progress bar.

    Returns:
        How many photos ended in each of the statuses.

    Raises:
        OutputError: the folders or the report cannot be written.
    """
    make_folders(layout)
    counts: Counter[str] = Counter()
    options = {'has_aligned': layout.has_aligned, 'only_center_face': only_center_face, 'weight': weight}
    readers, writers = ThreadPoolExecutor(2, 'daefr-read'), ThreadPoolExecutor(2, 'daefr-write')
    bar = tqdm(total=len(sources), unit='photo', disable=not progress)
    try:
        with JsonLinesWriter(report, append=append) as lines, logging_redirect_tqdm():
            writing: list[Future[dict[str, Any]]] = []
            jobs = _decode_ahead(readers, sources, max_pixels)
            for group in _groups(jobs, RESULT_PIXELS_A_GROUP / restorer.upscale**2):
                _restore(restorer, [job for job in group if job.photo is not None], options)
                _finish(writing, lines, counts, bar)
                writing = [writers.submit(_write, job, layout, restorer.upscale, draw_box) for job in group]
            _finish(writing, lines, counts, bar)
    finally:
        bar.close()
        readers.shutdown(cancel_futures=True)
        writers.shutdown(cancel_futures=True)
    return counts


def _decode_ahead(readers: Executor, sources: Iterable[Path], max_pixels: int) -> Iterator[_Job]:
    """The decoded photos in order, while the next ones are being decoded."""
    pending: deque[Future[_Job]] = deque()
    for source in sources:
        pending.append(readers.submit(_decode, source, max_pixels))
        if len(pending) > DECODED_AHEAD:
            yield pending.popleft().result()
    while pending:
        yield pending.popleft().result()


def _decode(source: Path, max_pixels: int) -> _Job:
    start = time.perf_counter()
    job = _Job(source)
    try:
        job.photo = read_image(source, max_pixels=max_pixels)
        job.warnings = job.photo.warnings
    except _PHOTO_ERRORS as error:
        job.fail(error)
    job.seconds['read'] = time.perf_counter() - start
    return job


def _groups(jobs: Iterable[_Job], max_pixels: float) -> Iterator[list[_Job]]:
    """Consecutive photos of together at most `max_pixels` (a larger one is alone) and PHOTOS_A_GROUP."""
    group: list[_Job] = []
    pixels = 0
    for job in jobs:
        size = 0 if job.photo is None else job.photo.pixels[..., 0].size
        if group and (pixels + size > max_pixels or len(group) == PHOTOS_A_GROUP):
            yield group
            group, pixels = [], 0
        group.append(job)
        pixels += size
    if group:
        yield group


def _restore(restorer: Restorer, jobs: Sequence[_Job], options: dict[str, Any]) -> None:
    """Fills in the results of the photos; if they fail together, of each alone."""
    if not jobs:
        return
    try:
        results = restorer.enhance_batch([job.photo.pixels for job in jobs if job.photo is not None], **options)
    except _PHOTO_ERRORS as error:
        if len(jobs) == 1:
            jobs[0].fail(error)
            return
        for job in jobs:
            _restore(restorer, [job], options)
        return
    for job, (job.crops, job.faces, job.restored), report in zip(jobs, results, restorer.last_reports, strict=True):
        job.report = report
        if report.status == FAILED:
            job.fail(InputError('no face could be restored: ' + '; '.join(report.faces[0].warnings)))


def _write(job: _Job, layout: OutputLayout, upscale: float, draw_box: bool) -> dict[str, Any]:
    """Writes the files of a photo, the whole photo last; returns the line of the report. The pixels are let go."""
    start = time.perf_counter()
    outputs: dict[str, list[str]] = {}
    try:
        if job.photo is not None:
            for kind, path, image in _outputs(job, layout, upscale, draw_box):
                write_image(path, image)
                outputs.setdefault(kind, []).append(str(path))
    except _PHOTO_ERRORS as error:
        for written in (name for names in outputs.values() for name in names):
            Path(written).unlink(missing_ok=True)
        outputs = {}
        job.fail(error)
    job.seconds['write'] = time.perf_counter() - start
    job.crops, job.faces, job.restored = [], [], None
    return job.line(outputs)


def _outputs(
    job: _Job, layout: OutputLayout, upscale: float, draw_box: bool
) -> Iterator[tuple[str, Path, np.ndarray | Photo]]:
    """What to write: kind, path, image."""
    restored = [index for index, face in enumerate(job.report.faces) if face.status == RESTORED]
    for index, crop, face in zip(restored, job.crops, job.faces, strict=True):
        if path := layout.cropped_face(job.source, index):
            yield 'cropped_faces', path, crop
        yield 'restored_faces', layout.restored_face(job.source, index), face
        if path := layout.comparison(job.source, index):
            yield 'cmp', path, np.hstack((crop, face))
    path = layout.photo(job.source)
    if path and job.photo and job.restored is not None:
        whole = job.photo.with_pixels(job.restored)
        yield 'photo', path, _with_boxes(whole, job.report, upscale) if draw_box else whole


def _with_boxes(photo: Photo, report: PhotoReport, upscale: float) -> Photo:
    """The photo with the boxes of its faces drawn in green."""
    pixels = photo.pixels.copy()
    thickness = max(1, round(max(pixels.shape) / 500))
    for face in report.faces:
        if face.box is not None:
            x0, y0, x1, y1 = (round(value * upscale) for value in face.box)
            cv2.rectangle(pixels, (x0, y0), (x1, y1), (0, np.iinfo(pixels.dtype).max, 0), thickness)
    # a profile of grey does not fit what is green now
    return replace(photo, pixels=pixels, grey=False, icc_profile=None if photo.grey else photo.icc_profile)


def _finish(writing: Sequence[Future[dict[str, Any]]], lines: JsonLinesWriter, counts: Counter[str], bar: tqdm) -> None:
    """Waits for the photos that are being written, and reports them."""
    for future in writing:
        line = future.result()
        counts[line['status']] += 1
        lines.write(line)
        bar.update()
