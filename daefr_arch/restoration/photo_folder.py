"""Many photos: the next are read and searched, and the last pasted and written, while the network restores faces.

Memory is bounded: at most three groups of photos and a few decoded ones are held, whatever the number of files.
"""

import math
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from tqdm.contrib.logging import logging_redirect_tqdm

from daefr_arch.choices import MAX_PIXELS
from daefr_arch.errors import InputError, StorageError
from daefr_arch.faces.evidence_map import draw_evidence
from daefr_arch.io.image_file import read_image
from daefr_arch.io.json_lines import JsonLinesWriter
from daefr_arch.io.progress import ProgressBar
from daefr_arch.io.staging_folder import staging_folder
from daefr_arch.restoration.earlier_runs import EarlierRuns
from daefr_arch.restoration.output_layout import OutputLayout, make_folders
from daefr_arch.restoration.photo_files import PhotoFiles
from daefr_arch.restoration.photo_job import PhotoJob
from daefr_arch.restoration.photo_source import PhotoSource, photo_sources
from daefr_arch.restoration.photo_work import PhotoWork
from daefr_arch.restoration.report import FAILED

DECODED_AHEAD = 4
PHOTOS_A_GROUP = 8  # whose faces share the network's batches; as many are searched ahead
RESULT_PIXELS_A_GROUP = 64_000_000


class Restorer(Protocol):
    """What is asked of DAEFRRestorer: its steps."""

    upscale: float

    def find_faces(
        self, img: np.ndarray, *, has_aligned: bool, only_center_face: bool, icc_profile: bytes | None
    ) -> PhotoWork:
        """As DAEFRRestorer.find_faces."""

    def restore_faces(self, works: Sequence[PhotoWork], *, weight: float | None) -> None:
        """As DAEFRRestorer.restore_faces."""

    def finish(self, work: PhotoWork) -> tuple[list[np.ndarray], list[np.ndarray], np.ndarray | None]:
        """As DAEFRRestorer.finish."""


class PhotoWriter(Protocol):
    """Writes the results of photos."""

    full: StorageError | None

    def write(self, pasted: 'Future[PhotoJob]', before: 'Future[Any] | None') -> dict[str, Any]:
        """Writes those of one, as PhotoFiles.write, and returns its line."""


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
    sources: Sequence[Path | PhotoSource],
    layout: OutputLayout,
    *,
    report: Path,
    only_center_face: bool = False,
    weight: float | None = None,
    draw_box: bool = False,
    max_pixels: int = MAX_PIXELS,
    progress: bool = False,
) -> FolderResult:
    """Restores photos from files to files; one that fails never stops the others, whatever it raises.

    Args:
        restorer: a DAEFRRestorer, or an object with its steps.
        sources: image files, checked by `plan_outputs`; every page of a TIFF file is a photo.
        layout: where the results go.
        report: JSON lines file that gets one line a photo in the order of `sources`: input, page, status ('ok',
            'no_face': written without a restored face, 'damaged': written, though the file is cut or damaged,
            'partial': some faces failed, 'error': nothing written), error, error_class, outputs, faces, precision,
            seconds, warnings. What it holds is kept; see `read_report`.
        only_center_face, weight: of DAEFRRestorer.enhance.
        draw_box: draw the detected boxes into the whole photo.
        max_pixels: larger photos are an error.
        progress: show a progress bar.

    Returns:
        How many photos ended in each of the statuses, and what they took.

    Raises:
        StorageError: nothing more can be written; photos before are done, and the message says how many.
        OutputError: the folders or the report cannot be written.
    """
    photos = photo_sources(sources)
    make_folders(layout)
    start = time.perf_counter()
    result = FolderResult(Counter(), Counter(), 0.0)
    bar = ProgressBar(total=len(photos), unit='photo', disable=not progress)

    try:
        with (
            JsonLinesWriter(report) as lines,
            staging_folder(layout.root) as staging,
            logging_redirect_tqdm(),
        ):
            files = PhotoFiles(
                layout,
                staging,
                lines,
                EarlierRuns(layout, report),
                upscale=restorer.upscale,
                draw_box=draw_box,
            )
            restore_jobs(
                restorer,
                map(PhotoJob, photos),
                files,
                result,
                has_aligned=layout.has_aligned,
                evidence_maps=layout.evidence_maps,
                only_center_face=only_center_face,
                weight=weight,
                max_pixels=max_pixels,
                bar=bar,
            )
    except StorageError as error:
        raise StorageError(f'{error}; stopped after {result.counts.total()} of {len(photos)} photos') from error
    finally:
        bar.close()
    return replace(result, elapsed=time.perf_counter() - start)


def restore_jobs(
    restorer: Restorer,
    jobs: Iterable[PhotoJob],
    files: PhotoWriter,
    result: FolderResult,
    *,
    has_aligned: bool,
    evidence_maps: bool = False,
    only_center_face: bool = False,
    weight: float | None = None,
    max_pixels: int = MAX_PIXELS,
    bar: ProgressBar | None = None,
) -> None:
    """Restores photos, which are taken from `jobs` some ahead, and hands each to `files`; `result` counts them.

    A job that has failed before is handed on as it is. Other arguments: as in `restore_photos`.

    Raises:
        StorageError: nothing more can be written.
    """
    most_pixels = RESULT_PIXELS_A_GROUP / restorer.upscale**2

    def find(job: PhotoJob) -> PhotoJob:
        return _find(job, restorer, has_aligned=has_aligned, only_center_face=only_center_face)

    with _threads(2, 1, 1, 2) as (readers, finder, paster, writers):
        writing: list[Future[dict[str, Any]]] = []
        decoded = _ahead(readers, partial(_decode, max_pixels=max_pixels), jobs, DECODED_AHEAD)
        for group in _groups(_ahead(finder, find, decoded, PHOTOS_A_GROUP, most_pixels), most_pixels):
            if files.full:
                break
            _restore(restorer, [job for job in group if job.work is not None], weight)
            last = writing[-1] if writing else None
            _count(writing, result)
            writing = []
            for job in group:
                pasted = paster.submit(_paste, job, restorer, has_aligned=has_aligned, evidence_maps=evidence_maps)
                last = writers.submit(files.write, pasted, last)
                if bar is not None:
                    bar.moves_with(last)
                writing.append(last)
        _count(writing, result)


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
    if job.error is not None:
        return job
    with job.step('read'):
        job.photo = read_image(job.source.path, max_pixels=max_pixels, page=(job.source.page or 1) - 1)
        job.warnings, job.damaged = job.photo.warnings, job.photo.damaged
    return job


def _find(job: PhotoJob, restorer: Restorer, *, has_aligned: bool, only_center_face: bool) -> PhotoJob:
    if job.photo is not None:
        with job.step():
            job.work = restorer.find_faces(
                job.photo.pixels,
                has_aligned=has_aligned,
                only_center_face=only_center_face,
                icc_profile=job.photo.icc_profile,
            )
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
    except Exception as error:  # noqa: BLE001  whatever it is, it is a photo's: the others may be fine
        if len(jobs) == 1:
            jobs[0].fail(error)
            return
        for job in jobs:
            if job.work is not None:
                job.work.restored.clear()
            _restore(restorer, [job], weight)


def _paste(job: PhotoJob, restorer: Restorer, *, has_aligned: bool, evidence_maps: bool) -> PhotoJob:
    if job.work is not None and job.photo is not None:
        with job.step():
            if job.report.status == FAILED:
                raise InputError('no face could be restored: ' + '; '.join(job.report.faces[0].warnings))
            job.crops, job.faces, whole = restorer.finish(job.work)
            if evidence_maps:
                fused = (face for face in job.work.restored if face is not None)
                job.evidence_maps = [draw_evidence(face.face, face.evidence.log_ratios) for face in fused]
            if whole is not None:
                job.restored = job.photo.with_pixels(whole)
            elif has_aligned and job.faces:
                job.restored = job.photo.in_srgb(job.faces[0])
                job.warnings += job.restored.warnings
            job.photo = job.work = None
    return job


def _count(writing: Sequence[Future[dict[str, Any]]], result: FolderResult) -> None:
    """Waits for the photos that are being written, and counts them; raises the first StorageError after that."""
    full: StorageError | None = None
    for future in writing:
        try:
            line = future.result()
        except StorageError as error:
            full = full or error
            continue
        result.counts[line['status']] += 1
        result.seconds.update(line['seconds'])
    if full is not None:
        raise full


@contextmanager
def _threads(*sizes: int) -> Iterator[list[ThreadPoolExecutor]]:
    """Executors of these many threads. At the end, what they have begun is waited for, and the rest is dropped."""
    executors = [ThreadPoolExecutor(size) for size in sizes]
    try:
        yield executors
    finally:
        for executor in executors:
            executor.shutdown(cancel_futures=True)
