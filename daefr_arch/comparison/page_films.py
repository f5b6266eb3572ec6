"""The films of the page: the beginning of each, inside the page, as far as its size allows."""

import base64
import logging
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from daefr_arch.comparison.film_clip import FilmClip, make_clip
from daefr_arch.comparison.film_table import COLUMNS
from daefr_arch.comparison.films import ComparedFilm
from daefr_arch.comparison.steadiness_meter import PROTOCOL
from daefr_arch.io.progress import ProgressBar

MOST_BYTES = 100_000_000  # of all films of a page: browsers hold it in memory several times

_logger = logging.getLogger(__name__)


def films_data(films: Sequence[ComparedFilm], columns: Sequence[str], root: Path, seconds: int) -> dict[str, Any]:
    """What the page knows of films.

    columns: the names of its select boxes. root: folder of the page. seconds: of each film on the page; 0 for no film.
    """
    page = _Films(root, seconds)
    rows = [page.row(film, columns) for film in films] if seconds else []
    if rows:
        _logger.info('the films take %.1f MB of the page', page.size / 1e6)
    return {
        'films': rows,
        'filmBytes': page.size,
        'filmSeconds': seconds,
        'filmColumns': [{'name': name, 'label': label} for name, label in COLUMNS.items()],
        'filmNote': PROTOCOL,
    }


class _Films:
    """Makes rows until there is no room."""

    def __init__(self, root: Path, seconds: int) -> None:
        self.root = root
        self.seconds = seconds
        self.size = 0

    def row(self, film: ComparedFilm, columns: Sequence[str]) -> dict[str, Any]:
        names = [name for name in columns if name in film.results]
        clips = {name: self._clip(film, name) for name in ProgressBar(names, desc=f'page, {film.source.name}')}
        there = [clip for clip in clips.values() if clip is not None]
        return {
            'name': film.source.name,
            'files': {name: _below(film.results[name], self.root) for name in names},
            'clips': {name: _data_uri(clip.data) for name, clip in clips.items() if clip is not None},
            'frameSeconds': there[0].frame_seconds if there else 0,
            'isWhole': all(clip.is_whole for clip in there),
            'size': [there[0].width, there[0].height] if there else None,
            'values': {name: asdict(steadiness) for name, steadiness in film.steadiness.items()},
        }

    def _clip(self, film: ComparedFilm, name: str) -> FilmClip | None:
        """The clip, None where the page would become too large."""
        clip = make_clip(film.results[name], self.seconds)
        if self.size + len(clip.data) > MOST_BYTES:
            _logger.warning(
                '%s: left out of the page, whose films would take more than %d MB: take fewer --page_seconds',
                film.results[name],
                MOST_BYTES // 1_000_000,
            )
            return None
        self.size += len(clip.data)
        return clip


def _below(path: Path, root: Path) -> str:
    return str(path.relative_to(root) if path.is_relative_to(root) else path)


def _data_uri(data: bytes) -> str:
    return 'data:video/mp4;base64,' + base64.b64encode(data).decode()
