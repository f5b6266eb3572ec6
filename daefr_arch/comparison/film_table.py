"""Compared films as lines of text and as JSON."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from daefr_arch.comparison.films import ComparedFilm
from daefr_arch.comparison.steadiness_meter import PROTOCOL
from daefr_arch.evaluation.report import align, format_number

# attribute of Steadiness -> its title
COLUMNS = {
    'warping_error': 'warping error ↓',
    'warping_ratio': "over the input's ↓",
    'identity_jitter': 'identity jitter ↓',
}


def film_lines(films: Sequence[ComparedFilm]) -> list[str]:
    """A row a film and method, and how it was measured; nothing without films."""
    if not films:
        return []
    cells = [['film', 'method', *COLUMNS.values()]]
    for film in films:
        for name in film.results:
            steadiness = film.steadiness.get(name)
            values = [getattr(steadiness, column, None) for column in COLUMNS]
            texts = ['-' if value is None else format_number(value) for value in values]
            cells.append([film.source.name, name, *texts])
    return ['', *align(cells), '', f'films: measured {PROTOCOL}']


def film_json(film: ComparedFilm) -> dict[str, Any]:
    """All that is known of a film."""
    return {
        'film': str(film.source),
        'results': {name: str(path) for name, path in film.results.items()},
        'steadiness': {name: asdict(steadiness) for name, steadiness in film.steadiness.items()},
    }
