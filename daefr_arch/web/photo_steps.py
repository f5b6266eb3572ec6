"""The steps of a photo on the server: the restorer's, with what is kept between them on disk."""

import copy
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from daefr_arch.errors import InputError
from daefr_arch.io.colour_space import colour_space
from daefr_arch.io.image_file import read_image, write_image
from daefr_arch.io.photo import Photo
from daefr_arch.restoration.photo_work import PhotoWork
from daefr_arch.restoration.report import FAILED, FaceReport, PhotoReport
from daefr_arch.restoration.restorer import DAEFRRestorer
from daefr_arch.web.background import KeptBackground
from daefr_arch.web.closer_look import FaceAt, is_same_face
from daefr_arch.web.job import Job
from daefr_arch.web.kept_faces import KeptFaces
from daefr_arch.web.pictures import FACE_SIDE, THUMBNAIL_SIDE, part, surroundings, write_picture
from daefr_arch.web.settings import FacePoint, PhotoSettings

NO_FACE_THERE = 'No face was found there.'
FACE_KNOWN = 'This face is found already.'
RESULT_PIXELS = 4  # of a result at most, in max_pixels


@dataclass
class OpenPhoto:
    """A photo in memory while it is worked on.

    found: its faces before anything was done to them. settings: of the job, when the network last looked at it.
    """

    job: Job
    photo: Photo
    faces: KeptFaces
    found: list[FaceReport]
    warnings: list[str]
    settings: PhotoSettings


class PhotoSteps:
    """What happens to a photo; each step in one thread at a time.

    Args:
        restorer: its upscale gives way to the photos' own; its background upsampler, if any, is for those that ask.
        max_pixels: larger photos, and four times larger results, are refused.
    """

    def __init__(self, restorer: DAEFRRestorer, *, max_pixels: int) -> None:
        self.restorer = restorer
        self.max_pixels = max_pixels

    @property
    def faces_a_pass(self) -> int:
        """Faces that go through the network at once."""
        return self.restorer.network.batch_size

    def find(self, job: Job) -> OpenPhoto:
        """Reads a photo that was just sent, finds its faces, and draws what the page shows before anything is done."""
        photo = self._read(job)
        write_picture(job.picture('before'), photo)
        write_picture(job.picture('thumbnail'), photo, side=THUMBNAIL_SIDE)
        job.height, job.width = photo.pixels.shape[:2]
        settings = job.settings
        opened = OpenPhoto(job, photo, KeptFaces(), [], list(photo.warnings), settings)
        work = self.restorer.find_faces(
            photo.pixels,
            has_aligned=settings.has_aligned,
            only_center_face=settings.only_center_face,
            icc_profile=photo.icc_profile,
        )
        opened.warnings += work.report.warnings
        _add_faces(opened, work, range(len(work.crops)))
        return opened

    def open(self, job: Job) -> OpenPhoto:
        """A photo that was restored before, with the faces that were kept, and those that are pointed at by now."""
        faces, settings = KeptFaces.load(job.kept_faces), job.settings
        opened = OpenPhoto(job, self._read(job), faces, list(job.found), list(job.warnings), settings)
        while job.points:
            self._look_at(opened, job.points.pop(0))
        return opened

    def judge(self, opened: OpenPhoto) -> None:
        """Finds out what the photo shows of the faces that are new."""
        faces = opened.faces
        faces.evidence += self.restorer.faces.fusion.assess(faces.crops[len(faces.evidence) :])

    def network_faces(self, crops: list[np.ndarray]) -> list[np.ndarray | None]:
        """What the network makes of faces of one or several photos."""
        return self.restorer.faces.network_faces(crops)

    def finish(self, opened: OpenPhoto) -> bool:
        """Fuses and pastes, writes pictures, then the result.

        Returns:
            Whether there is a result: not where other settings have been asked for meanwhile.
        """
        job, photo, settings = opened.job, opened.photo, opened.settings
        work = self._fused(opened, settings)
        _, faces, whole = self._restorer_for(job, settings).finish(work)
        if whole is not None:
            result = photo.with_pixels(whole)
        elif faces:
            result = photo.in_srgb(faces[0])
            opened.warnings += result.warnings
        else:
            raise InputError('the only face is left out: there is nothing to restore')
        opened.faces.save(job.kept_faces)
        self._draw(opened, result, settings.upscale)
        job.found, job.faces, job.warnings = opened.found, work.report.faces, opened.warnings
        job.version += 1
        if job.settings is not settings:
            return False
        _write_result(job, result)
        return True

    def _read(self, job: Job) -> Photo:
        photo = read_image(job.source, max_pixels=self.max_pixels)
        pixels = photo.pixels[..., 0].size * job.settings.upscale**2
        if pixels > RESULT_PIXELS * self.max_pixels:
            raise InputError(
                f'the result would have {pixels / 1e6:.0f} million pixels, expected at most '
                f'{RESULT_PIXELS * self.max_pixels / 1e6:.0f}: choose a smaller size'
            )
        return photo

    def _look_at(self, opened: OpenPhoto, point: FacePoint) -> None:
        """Adds the face at the point, if one is found there that is new."""
        restorer = copy.copy(self.restorer)
        restorer.detector = FaceAt(self.restorer.detector, point.x, point.y)
        work = restorer.find_faces(opened.photo.pixels, icc_profile=opened.photo.icc_profile)
        boxes = [face.box for face in opened.found if face.box is not None]
        new = [
            index
            for index, face in enumerate(work.report.faces)
            if face.box is not None and not any(is_same_face(face.box, box) for box in boxes)
        ]
        opened.job.notice = None if new else FACE_KNOWN if work.crops else NO_FACE_THERE
        _add_faces(opened, work, new)

    def _fused(self, opened: OpenPhoto, settings: PhotoSettings) -> PhotoWork:
        """The photo with its restored faces and their reports; None for those that failed or are left out."""
        faces, reports = opened.faces, copy.deepcopy(opened.found)
        wanted = [index for index in range(len(reports)) if index not in settings.left_out]
        fused = self.restorer.faces.fuse(
            [faces.crops[index] for index in wanted],
            [faces.evidence[index] for index in wanted],
            [faces.network_faces[index] for index in wanted],
            fidelity=settings.weight,
        )
        restored = dict(zip(wanted, fused, strict=True))
        for index in wanted:
            reports[index].judge(faces.evidence[index], restored[index])
        if PhotoReport([reports[index] for index in wanted]).status == FAILED:
            raise InputError('no face could be restored: ' + '; '.join(reports[wanted[0]].warnings))
        everyone = [restored.get(index) for index in range(len(reports))]
        profile = opened.photo.icc_profile
        colours = colour_space(profile) if profile else None
        return PhotoWork(opened.photo.pixels, PhotoReport(reports), faces.crops, faces.matrices, everyone, colours)

    def _restorer_for(self, job: Job, settings: PhotoSettings) -> DAEFRRestorer:
        """The restorer with the photo's size and background."""
        restorer = copy.copy(self.restorer)
        restorer.upscale, restorer.bg_upsampler = settings.upscale, None
        if settings.bg_upsampler != 'none' and self.restorer.bg_upsampler is not None:
            restorer.bg_upsampler = KeptBackground(self.restorer.bg_upsampler, job.folder)
        return restorer

    def _draw(self, opened: OpenPhoto, result: Photo, upscale: float) -> None:
        """The pictures of the result, and around each face."""
        job, photo = opened.job, opened.photo
        write_picture(job.picture('after'), result)
        for index, face in enumerate(opened.found):
            if face.box is None:
                continue
            box = surroundings(face.box, job.width, job.height)
            if not job.picture('before', index).exists():
                write_picture(job.picture('before', index), part(photo, box), side=FACE_SIDE)
            x0, y0, x1, y1 = (round(at * upscale) for at in box)
            write_picture(
                job.picture('after', index), part(result, (x0, y0, max(x0 + 1, x1), max(y0 + 1, y1))), side=FACE_SIDE
            )


def _add_faces(opened: OpenPhoto, work: PhotoWork, indices: Iterable[int]) -> None:
    """Takes over faces of a search, which the network has not seen yet."""
    for index in indices:
        opened.found.append(work.report.faces[index])
        opened.faces.add(work.crops[index], work.matrices[index] if work.matrices else None)


def _write_result(job: Job, result: Photo) -> None:
    """Writes the file that can be downloaded; an older one is gone then."""
    name = job.result_name()
    path = job.folder / f'result-{job.version}{Path(name).suffix.lower()}'
    job.warnings = [*job.warnings, *write_image(path, result)]
    old, job.result = job.result, (path, name)
    if old is not None:
        old[0].unlink(missing_ok=True)
