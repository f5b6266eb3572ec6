"""A comparison as one HTML page that needs nothing else: images, styles and script are inside."""

import base64
import json
import math
from importlib.resources import files
from typing import Any

import numpy as np

from daefr_arch.comparison.comparison import ComparedMethod, Comparison
from daefr_arch.comparison.method import INPUT, TRUTH
from daefr_arch.comparison.page_films import films_data
from daefr_arch.comparison.table import COST_NOTE
from daefr_arch.io.image_encoding import encode
from daefr_arch.io.image_file import read_image
from daefr_arch.io.photo import Photo

PLACEHOLDER = '"DATA"'  # in page.html, where the JSON goes


def render_page(comparison: Comparison, *, max_faces: int = 100, quality: int = 92, film_seconds: int = 20) -> str:
    """The page: the table of methods, the films, and a row for each of the first `max_faces` faces.

    Args:
        comparison: with its face set's files in place.
        max_faces: a face takes about 50 kB a method.
        quality: of the embedded JPEG images, 1 to 100.
        film_seconds: of each film, from its beginning; 0 for no films.
    """
    # inside a script element, only `<` could end it or begin a comment
    data = json.dumps(_page_data(comparison, max_faces, quality, film_seconds), allow_nan=False).replace('<', '\\u003c')
    template = files('daefr_arch.comparison').joinpath('page.html').read_text(encoding='utf-8')
    before, after = template.split(PLACEHOLDER)
    return before + data + after


def _page_data(comparison: Comparison, max_faces: int, quality: int, film_seconds: int) -> dict[str, Any]:
    faces = comparison.faces
    columns = [method.name for method in comparison.methods] + ([TRUTH] if faces.has_truth else [])
    values = {method.name: {row.image: row.values for row in method.report.rows} for method in comparison.methods}
    return {
        'faceSize': faces.face_size,
        'count': len(faces.names),
        'note': f'{COST_NOTE}; {comparison.hardware}',
        'input': INPUT,
        'columns': columns,
        'metrics': [
            {
                'name': metric.name,
                'label': metric.label,
                'protocol': metric.missing or metric.protocol,
                'missing': metric.missing is not None,
            }
            for metric in comparison.methods[0].report.metrics
        ],
        'methods': [_method_data(method) for method in comparison.methods],
        'faces': [
            {
                'name': name,
                'images': {column: _data_uri(faces.read(column, name), quality) for column in columns},
                'evidence': {
                    column: _data_uri(read_image(picture).pixels, quality)
                    for column in columns
                    if (picture := faces.evidence_map(column, name)).is_file()
                },
                'values': {
                    method: {metric: _finite(value) for metric, value in rows[name].items()}
                    for method, rows in values.items()
                },
            }
            for name in faces.names[:max_faces]
        ],
        **films_data(comparison.films, columns, faces.root, film_seconds),
    }


def _method_data(method: ComparedMethod) -> dict[str, Any]:
    return {
        'name': method.name,
        'description': method.description,
        'means': {metric.name: _finite(metric.mean) for metric in method.report.metrics},
        'halfWidths': {metric.name: metric.half_width for metric in method.report.metrics},
        'seconds': method.cost.median,
        'peakBytes': method.cost.peak_bytes,
    }


def _data_uri(face: np.ndarray, quality: int) -> str:
    data, _ = encode(Photo(face), '.jpg', quality=quality)
    return 'data:image/jpeg;base64,' + base64.b64encode(data).decode()


def _finite(value: float | None) -> float | str | None:
    """JSON has no infinite numbers: these become what JavaScript calls them."""
    if value is None or math.isfinite(value):
        return value
    return 'Infinity' if value > 0 else '-Infinity'
