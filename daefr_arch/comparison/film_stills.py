"""Frames of films as photos: they are compared as any other photo, so that films have numbers too."""

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from daefr_arch.comparison.method import STILLS
from daefr_arch.faces.detector import FaceDetector
from daefr_arch.io.atomic_file import make_folder
from daefr_arch.io.image_file import write_image
from daefr_arch.video.displayed import displayed_frames
from daefr_arch.video.source import VideoSource
from daefr_arch.video.video_info import SourceFrame

COUNT = 8  # of a film
LOOKED_AT = 4 * COUNT  # frames in which faces are looked for

_logger = logging.getLogger(__name__)


def write_stills(films: Sequence[Path], root: Path, detector: FaceDetector) -> list[Path]:
    """Writes frames of films, spread evenly over those with faces, as `film_stills/FILM_000123.png` under `root`.

    Returns the files; none of films in which no face is found. Raises InputError where a film cannot be read.
    """
    return [still for film in films for still in _write_stills(film, root / STILLS, detector)]


def _write_stills(film: Path, folder: Path, detector: FaceDetector) -> list[Path]:
    make_folder(folder)
    with_faces = []
    for frame, picture in _spread(film):
        if detector.detect(picture):
            with_faces.append(folder / f'{film.stem}_{frame.index:06d}.png')
            write_image(with_faces[-1], picture)
    places = np.linspace(0, len(with_faces) - 1, min(COUNT, len(with_faces))).round().astype(int)
    chosen = [with_faces[place] for place in places]
    for still in set(with_faces) - set(chosen):
        still.unlink()
    if not chosen:
        _logger.warning('%s: no face was found in %d of its frames', film.name, LOOKED_AT)
    return chosen


def still_of(path: Path, root: Path) -> tuple[str, int] | None:
    """The film's name without its ending, and the number of the frame from 0; None for what is no still."""
    if path.absolute().parent != (root / STILLS).absolute():
        return None
    name, _, number = path.stem.rpartition('_')
    return name, int(number)


def _spread(film: Path) -> Iterator[tuple[SourceFrame, np.ndarray]]:
    """LOOKED_AT frames, each from the middle of its share of the film."""
    source = VideoSource(film)
    length = source.info.expected or sum(1 for _ in source.frames())
    return displayed_frames(source, {int((place + 0.5) * length / LOOKED_AT) for place in range(LOOKED_AT)})
