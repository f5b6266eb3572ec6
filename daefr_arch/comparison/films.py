"""Whole films through every method: each restores them as `daefr video` does, and how steady they are is measured."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from daefr_arch.choices import FIDELITY
from daefr_arch.comparison.method import INPUT, Method, load_method_network
from daefr_arch.comparison.remembered_faces import RememberedFaces
from daefr_arch.comparison.steadiness_meter import Steadiness, measure_steadiness
from daefr_arch.comparison.unrestored import Unrestored
from daefr_arch.errors import WeightsError
from daefr_arch.faces.detector import FaceDetector
from daefr_arch.io.progress import frame_progress
from daefr_arch.metrics.face_embedding import FaceEmbedder
from daefr_arch.restoration.report import FAILED
from daefr_arch.restoration.restorer import DAEFRRestorer
from daefr_arch.video.film_options import FilmOptions
from daefr_arch.video.pipeline import FilmRestorer
from daefr_arch.video.recognition import list_films
from daefr_arch.video.restore_video import restore_video
from daefr_arch.video.result_name import result_path

RESULTS = 'final_films'  # folder of a method


@dataclass(frozen=True)
class ComparedFilm:
    """A film and what methods made of it.

    source: the film. results: of the methods that have one, and of `input`, the film as they wrote it. steadiness: of
    those that have as many frames as the film.
    """

    source: Path
    results: dict[str, Path]
    steadiness: dict[str, Steadiness]


def compare_films(
    methods: Sequence[Method],
    films: Sequence[Path],
    root: Path,
    *,
    detector: FaceDetector,
    embedder: FaceEmbedder | None = None,
    fidelity: float = FIDELITY,
    device: str = 'auto',
    precision: str = 'fp32',
    upscale: float = 1,
    offline: bool = False,
) -> tuple[ComparedFilm, ...]:
    """Restores every film by every method, to `NAME/final_films` under `root`, and measures how steady it is.

    Bare methods give their networks' faces, frame by frame; those with evidence what `daefr video` gives. `input` is
    the film encoded once more, as theirs are. Of results made elsewhere, the film of the same name is taken, if there
    is one.

    Called again after an interruption, it takes the films that are there and goes on behind the last segment. Raises
    what `restore_video` does, and WeightsError where an output is not finite.
    """
    detector = RememberedFaces(detector)
    compared = [ComparedFilm(film, {}, {}) for film in films]
    for film in compared:
        film.results[INPUT] = _result(film, INPUT, root)
        _restore(film, INPUT, Unrestored(upscale), FilmOptions())
    for method in methods:
        if method.is_folder:
            _take_films(method, compared)
            continue
        for film in compared:
            film.results[method.name] = _result(film, method.name, root)
        todo = [film for film in compared if not film.results[method.name].exists()]
        if todo:
            network = load_method_network(method, fidelity=fidelity, offline=offline)
            restorer = DAEFRRestorer(
                network, upscale=upscale, device=device, precision=precision, detector=detector, offline=offline
            )
            for film in todo:
                _restore(film, method.name, restorer, _options(method))
    return tuple(
        replace(film, steadiness=measure_steadiness(film.source, film.results, detector, embedder, upscale=upscale))
        for film in compared
    )


def films_by_name(method: Method) -> dict[str, Path]:
    """The films in a folder of results, by their names without endings; none of a network."""
    return {film.stem: film for film in list_films(method.source)} if method.is_folder else {}


def _take_films(method: Method, films: Sequence[ComparedFilm]) -> None:
    made = films_by_name(method)
    for film in films:
        if film.source.stem in made:
            film.results[method.name] = made[film.source.stem]


def _result(film: ComparedFilm, name: str, root: Path) -> Path:
    return result_path(film.source, root / name / RESULTS)


def _options(method: Method) -> FilmOptions:
    return FilmOptions() if method.with_evidence else FilmOptions(weight=0.0, steadiness=0.0)


def _restore(film: ComparedFilm, name: str, restorer: FilmRestorer, options: FilmOptions) -> None:
    """Writes the film of a method unless it is there."""
    out = film.results[name]
    if out.exists():
        return
    with frame_progress(f'{name}, {film.source.name}') as show:
        result = restore_video(film.source, out, restorer, options=options, progress=show)
    statuses = [track['statuses'] for shot in result.shots for track in shot['tracks']]
    if failed := sum(counts.get(FAILED, 0) for counts in statuses):
        out.unlink()  # in it, these faces are the input's
        raise WeightsError(f'method {name}: the network output for {failed} faces of {film.source.name} is not finite')
