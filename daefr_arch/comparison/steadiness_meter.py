"""How steady each method's version of a film is, over its largest face, measured as the frames come."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from daefr_arch.comparison.method import INPUT
from daefr_arch.errors import InputError
from daefr_arch.faces.aligner import crop_face, estimate_alignment
from daefr_arch.faces.detector import DetectedFace, FaceDetector
from daefr_arch.metrics.face_embedding import FaceEmbedder
from daefr_arch.metrics.film_steadiness import EMBEDDED_SIDE, Motion
from daefr_arch.video.displayed import displayed_frames
from daefr_arch.video.shots import CutDetector
from daefr_arch.video.source import VideoSource
from daefr_arch.video.tracker import OVERLAP, intersection_over_union

MARGIN = 0.25  # of the face's box, around it: motion leads there
SIDE = 256  # of what motion is measured in, at most

PROTOCOL = (
    'without truth, over the largest face of each frame, from frame to frame; warping error: of Lai et al. (ECCV '
    "2018), times 1000, with the input's flow; identity jitter: 1 - cosine of the face embeddings, times 1000; less is "
    'steadier, which is not yet better: what is blurred is steady'
)

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Steadiness:
    """Of a film of a method. None where nothing could be measured.

    warping_error: see `metrics.film_steadiness`; warping_ratio: to that of the input; identity_jitter: None without an
    embedder too.
    """

    warping_error: float | None
    warping_ratio: float | None
    identity_jitter: float | None


def measure_steadiness(
    film: Path,
    versions: Mapping[str, Path],
    detector: FaceDetector,
    embedder: FaceEmbedder | None,
    *,
    upscale: float = 1,
) -> dict[str, Steadiness]:
    """Measures the versions of a film, each the film of a method.

    Args:
        film: as it was given.
        versions: of each method; `input` is the film at their size. Those with another number of frames are left out,
            with a warning.
        detector: finds the faces of the film.
        embedder: of faces; None measures no identities.
        upscale: size of `input` over that of the film.
    """
    meter, cuts = SteadinessMeter(embedder), CutDetector()
    running = {name: _pictures(path) for name, path in versions.items()}
    for source in _pictures(film):
        upcoming = {name: next(pictures, None) for name, pictures in running.items()}
        frames = {name: frame for name, frame in upcoming.items() if frame is not None}
        running = {name: running[name] for name in frames}
        faces = [_enlarged(face, upscale) for face in detector.detect(source)]
        meter.add(_of_one_size(frames), faces, is_cut=cuts.is_cut(source))
    whole = {name for name, pictures in running.items() if next(pictures, None) is None}
    for name in versions.keys() - whole:
        _logger.warning('%s: has another number of frames than %s: not measured', versions[name], film.name)
    return {name: steadiness for name, steadiness in meter.result().items() if name in whole}


def _pictures(film: Path) -> Iterator[np.ndarray]:
    return (picture for _, picture in displayed_frames(VideoSource(film)))


def _of_one_size(frames: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The frames, those of other sizes brought to that of `input`."""
    height, width = frames[INPUT].shape[:2]
    return {name: cv2.resize(frame, (width, height), interpolation=cv2.INTER_AREA) for name, frame in frames.items()}


def _enlarged(face: DetectedFace, upscale: float) -> DetectedFace:
    x0, y0, x1, y1 = (upscale * value for value in face.box)
    return DetectedFace((x0, y0, x1, y1), face.score, upscale * face.landmarks + (upscale - 1) / 2)


@dataclass(frozen=True)
class _Shown:
    """A frame of every method, and its largest face."""

    films: Mapping[str, np.ndarray]
    face: DetectedFace
    embeddings: Mapping[str, np.ndarray]


class SteadinessMeter:
    """Takes a film frame by frame. embedder: of faces, None where there is none."""

    def __init__(self, embedder: FaceEmbedder | None) -> None:
        self.embedder = embedder
        self._before: _Shown | None = None
        self._errors: dict[str, list[float]] = {}
        self._jumps: dict[str, list[float]] = {}

    def add(self, films: Mapping[str, np.ndarray], faces: Sequence[DetectedFace], *, is_cut: bool) -> None:
        """Takes the next frame.

        films: of each method, `input` among them, all (H, W, 3) BGR uint8 of one size. faces: found in it, in its
        pixels. is_cut: a shot begins with it.
        """
        face = max(faces, key=lambda one: one.size, default=None)
        now = None if face is None else _Shown(films, face, self._embedded(films, face))
        before, self._before = self._before, now
        if before is None or now is None or is_cut or _jumps(before, now):
            return
        self._compare(before, now)

    def result(self) -> dict[str, Steadiness]:
        """Of each method."""
        errors = {name: _mean(values) for name, values in self._errors.items()}
        whole = errors.get(INPUT)
        return {
            name: Steadiness(
                error,
                error / whole if error is not None and whole else None,
                _mean(self._jumps.get(name, [])),
            )
            for name, error in errors.items()
        }

    def _embedded(self, films: Mapping[str, np.ndarray], face: DetectedFace) -> dict[str, np.ndarray]:
        if self.embedder is None:
            return {}
        try:
            matrix = estimate_alignment(face.landmarks, EMBEDDED_SIDE)
        except InputError:  # landmarks that fit no face
            return {}
        return {name: self.embedder.embed(crop_face(frame, matrix, EMBEDDED_SIDE)) for name, frame in films.items()}

    def _compare(self, before: _Shown, now: _Shown) -> None:
        window = _Window.around(before.face.box, before.films[INPUT].shape)
        motion = Motion.between(window.cut(before.films[INPUT]), window.cut(now.films[INPUT]))
        for name, frame in now.films.items():
            error = motion.error(window.cut(before.films[name]), window.cut(frame), window.face)
            self._errors.setdefault(name, []).append(error)
            if name in before.embeddings and name in now.embeddings:
                jump = 1000 * float(1 - before.embeddings[name] @ now.embeddings[name])
                self._jumps.setdefault(name, []).append(jump)


@dataclass(frozen=True)
class _Window:
    """A part of frames, brought to SIDE where it is larger. face: (h, w) bool, where in it the face is."""

    rows: slice
    columns: slice
    face: np.ndarray

    @classmethod
    def around(cls, box: tuple[float, ...], shape: tuple[int, ...]) -> '_Window':
        height, width = shape[:2]
        left, top, right, bottom = (
            int(np.clip(value, 0, most)) for value, most in zip(box, (width, height, width, height), strict=True)
        )
        margin = int(MARGIN * max(right - left, bottom - top)) + 1
        x0, y0 = max(0, left - margin), max(0, top - margin)
        x1, y1 = min(width, right + margin), min(height, bottom + margin)
        face = np.zeros((y1 - y0, x1 - x0), np.uint8)
        face[top - y0 : bottom - y0, left - x0 : right - x0] = 1
        return cls(slice(y0, y1), slice(x0, x1), _no_larger(face, cv2.INTER_NEAREST) > 0)

    def cut(self, frame: np.ndarray) -> np.ndarray:
        return _no_larger(frame[self.rows, self.columns], cv2.INTER_AREA)


def _no_larger(image: np.ndarray, interpolation: int) -> np.ndarray:
    scale = SIDE / max(image.shape[:2])
    if scale >= 1:
        return np.ascontiguousarray(image)
    size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    return cv2.resize(image, size, interpolation=interpolation)


def _jumps(before: _Shown, now: _Shown) -> bool:
    """Whether the largest face is another one."""
    return intersection_over_union(before.face.box, now.face.box) < OVERLAP


def _mean(values: list[float]) -> float | None:
    known = [value for value in values if np.isfinite(value)]
    return float(np.mean(known)) if known else None
