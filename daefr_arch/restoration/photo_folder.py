"""Many photos: the next are read and searched, and the last pasted and written, while the network restores faces.

Memory is bounded: at most three groups of photos and a few decoded ones are held, whatever the number of files.
"""

import math
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
from tqdm.contrib.logging import logging_redirect_tqdm

from daefr_arch.choices import MAX_PIXELS
from daefr_arch.errors import InputError
from daefr_arch.faces.evidence_map import draw_evidence
from daefr_arch.io.image_file import read_image, write_image
from daefr_arch.io.json_lines import JsonLinesWriter
from daefr_arch.io.photo import Photo
from daefr_arch.io.progress import ProgressBar
from daefr_arch.restoration.output_layout import OutputLayout, make_folders
from daefr_arch.restoration.photo_job import PHOTO_ERRORS, PhotoJob
from daefr_arch.restoration.photo_work import PhotoWork
from daefr_arch.restoration.report import FAILED, PhotoReport

DECODED_AHEAD = 4
PHOTOS_A_GROUP = 8  # whose faces share the network's batches; as many are searched ahead
RESULT_PIXELS_A_GROUP = 64_000_000


class Restorer(Protocol):
    """What is asked of DAEFRRestorer: its steps."""

    upscale: float

    def find_faces(self, img: np.ndarray, *, has_aligned: bool, only_center_face: bool) -> PhotoWork:
        """As DAEFRRestorer.find_faces."""

    def restore_faces(self, works: Sequence[PhotoWork], *, weight: float | None) -> None:
        """As DAEFRRestorer.restore_faces."""

    def finish(self, work: PhotoWork) -> tuple[list[np.ndarray], list[np.ndarray], np.ndarray | None]:
        """As DAEFRRestorer.finish."""


@dataclass(frozen=True)
class FolderResult:
    """What became of the photos of a folder.

    counts: photos by status. seconds: of each step over all photos, steps overlap. elapsed: seconds from start to end.
    """

    counts: Counter[str]
    seconds: Counter[str]
    elapsed: float

    def throughput(self) -> str:
        """Photos a second, and the share of each step of the work, in one line."""
        total = self.seconds.total()
        shares = (
            ', '.join(f'{step} {seconds / total:.0%}' for step, seconds in self.seconds.most_common()) if total else ''
        )
        return f'{self.counts.total() / self.elapsed:.2f} photos/s; work of the steps: {shares}'


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
    max_pixels: int = MAX_PIXELS,
    progress: bool = False,
) -> FolderResult:
    """Restores photos from files to files; one that fails never stops the others.

    Args:
        restorer: a DAEFRRestorer, or an object with its steps.
        sources: image files, checked by `plan_outputs`.
        layout: where the results go.
        report: JSON lines file, one line a photo in the order of `sources`: input, status ('ok', 'no_face': written
            without a restored face, 'damaged': written, though the file is cut or damaged, 'partial': some faces
            failed, 'error': nothing written), error, outputs, faces, seconds, warnings.
        append: keep what the report holds.
        only_center_face, weight: of DAEFRRestorer.enhance.
        draw_box: draw the detected boxes into the whole photo.
        max_pixels: larger photos are an error.
        progress: show a progress bar.

    Returns:
        How many photos ended in each of the statuses, and what they took.

    Raises:
        OutputError: the folders or the report cannot be written.
    """
    make_folders(layout)
    start = time.perf_counter()
    result = FolderResult(Counter(), Counter(), 0.0)
    most_pixels = RESULT_PIXELS_A_GROUP / restorer.upscale**2
    readers, finder, paster, writers = (ThreadPoolExecutor(threads) for threads in (2, 1, 1, 2))
    bar = ProgressBar(total=len(sources), unit='photo', disable=not progress)

    def find(job: PhotoJob) -> PhotoJob:
        return _find(job, restorer, has_aligned=layout.has_aligned, only_center_face=only_center_face)

    try:
        with JsonLinesWriter(report, append=append) as lines, logging_redirect_tqdm():
            writing: list[Future[dict[str, Any]]] = []
            decoded = _ahead(readers, partial(_decode, max_pixels=max_pixels), map(PhotoJob, sources), DECODED_AHEAD)
            for group in _groups(_ahead(finder, find, decoded, PHOTOS_A_GROUP, most_pixels), most_pixels):
                _restore(restorer, [job for job in group if job.work is not None], weight)
                _report(writing, lines, result)
                pasted = [paster.submit(_paste, job, restorer, layout) for job in group]
                writing = [writers.submit(_write, job, layout, restorer.upscale, draw_box) for job in pasted]
                for future in writing:
                    bar.moves_with(future)
            _report(writing, lines, result)
    finally:
        for executor in (readers, finder, paster, writers):
            executor.shutdown(cancel_futures=True)
        bar.close()
    return replace(result, elapsed=time.perf_counter() - start)


def _ahead(
    executor: Executor,
    function: Callable[[PhotoJob], PhotoJob],
    jobs: Iterable[PhotoJob],
    most: int,
    most_pixels: float = math.inf,
) -> Iterator[PhotoJob]:
    """The jobs in order, each after `function`, which runs ahead for at most `most` of them and of `most_pixels`."""
    pending: deque[tuple[int, Future[PhotoJob]]] = deque()
    pixels = 0
    for job in jobs:
        pending.append((job.pixels, executor.submit(function, job)))
        pixels += pending[-1][0]
        while len(pending) > most or (pixels > most_pixels and pending):
            size, future = pending.popleft()
            pixels -= size
            yield future.result()
    for _, future in pending:
        yield future.result()


def _decode(job: PhotoJob, max_pixels: int) -> PhotoJob:
    with job.step('read'):
        job.photo = read_image(job.source, max_pixels=max_pixels)
        job.warnings, job.damaged = job.photo.warnings, job.photo.damaged
    return job


def _find(job: PhotoJob, restorer: Restorer, *, has_aligned: bool, only_center_face: bool) -> PhotoJob:
    if job.photo is not None:
        with job.step():
            job.work = restorer.find_faces(job.photo.pixels, has_aligned=has_aligned, only_center_face=only_center_face)
            job.report = job.work.report
    return job


def _groups(jobs: Iterable[PhotoJob], max_pixels: float) -> Iterator[list[PhotoJob]]:
    """Consecutive photos of together at most `max_pixels` (a larger one is alone) and PHOTOS_A_GROUP."""
    group: list[PhotoJob] = []
    pixels = 0
    for job in jobs:
        if group and (pixels + job.pixels > max_pixels or len(group) == PHOTOS_A_GROUP):
            yield group
            group, pixels = [], 0
        group.append(job)
        pixels += job.pixels
    if group:
        yield group


def _restore(restorer: Restorer, jobs: Sequence[PhotoJob], weight: float | None) -> None:
    """Restores the faces of the photos; if they fail together, of each alone."""
    if not jobs:
        return
    try:
        restorer.restore_faces([job.work for job in jobs if job.work is not None], weight=weight)
    except PHOTO_ERRORS as error:
        if len(jobs) == 1:
            jobs[0].fail(error)
            return
        for job in jobs:
            if job.work is not None:
                job.work.restored.clear()
            _restore(restorer, [job], weight)


def _paste(job: PhotoJob, restorer: Restorer, layout: OutputLayout) -> PhotoJob:
    if job.work is not None and job.photo is not None:
        with job.step():
            if job.report.status == FAILED:
                raise InputError('no face could be restored: ' + '; '.join(job.report.faces[0].warnings))
            job.crops, job.faces, whole = restorer.finish(job.work)
            if layout.evidence_maps:
                fused = (face for face in job.work.restored if face is not None)
                job.evidence_maps = [draw_evidence(face.face, face.evidence.log_ratios) for face in fused]
            if whole is not None:
                job.restored = job.photo.with_pixels(whole)
            job.photo = job.work = None
    return job


def _write(pasted: Future[PhotoJob], layout: OutputLayout, upscale: float, draw_box: bool) -> dict[str, Any]:
    """Writes the files of a photo, the whole photo last; returns the line of the report. The pixels are let go."""
    job = pasted.result()
    outputs: dict[str, list[str]] = {}
    with job.step('write'):
        if job.error is None:
            for kind, path, image in _outputs(job, layout, upscale, draw_box):
                write_image(path, image)
                outputs.setdefault(kind, []).append(str(path))
    if job.error:
        for written in (name for names in outputs.values() for name in names):
            Path(written).unlink(missing_ok=True)
        outputs = {}
    job.crops, job.faces, job.evidence_maps, job.restored = [], [], [], None
    return job.line(outputs)


def _outputs(
    job: PhotoJob, layout: OutputLayout, upscale: float, draw_box: bool
) -> Iterator[tuple[str, Path, np.ndarray | Photo]]:
    """What to write: kind, path, image."""
    restored = [index for index, face in enumerate(job.report.faces) if face.status != FAILED]
    for index, crop, face in zip(restored, job.crops, job.faces, strict=True):
        if path := layout.cropped_face(job.source, index):
            yield 'cropped_faces', path, crop
        yield 'restored_faces', layout.restored_face(job.source, index), face
        if path := layout.comparison(job.source, index):
            yield 'cmp', path, np.hstack((crop, face))
    for index, picture in zip(restored, job.evidence_maps, strict=layout.evidence_maps):
        yield 'evidence_maps', layout.evidence_map(job.source, index), picture
    path = layout.photo(job.source)
    if path and job.restored is not None:
        yield 'photo', path, _with_boxes(job.restored, job.report, upscale) if draw_box else job.restored


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


def _report(writing: Sequence[Future[dict[str, Any]]], lines: JsonLinesWriter, result: FolderResult) -> None:
    """Waits for the photos that are being written, and reports them."""
    for future in writing:
        line = future.result()
        result.counts[line['status']] += 1
        result.seconds.update(line['seconds'])
        lines.write(line)
