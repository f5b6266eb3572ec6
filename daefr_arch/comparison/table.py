"""A comparison as a text table, CSV and JSON."""

import json
import math
from collections.abc import Sequence
from typing import Any

from daefr_arch.comparison.comparison import ComparedMethod, Comparison
from daefr_arch.comparison.film_table import film_json, film_lines
from daefr_arch.evaluation.report import INTERVAL_NOTE, MetricSummary, align, csv_text, format_number

COST_NOTE = (
    'seconds: median a face [quartiles], one face at a time, from crop to result, after a warm-up; memory: peak of '
    'loading and running above the process before (CPU: resident, CUDA: tensors)'
)


def to_text(comparison: Comparison) -> str:
    """The table: a row a method, the metrics' columns, seconds and memory; below it every protocol."""
    metrics = comparison.methods[0].report.metrics
    cells = [['method', *(metric.label for metric in metrics), 'seconds a face', 'memory [MB]']]
    cells += [
        [method.name, *(_metric_cell(metric) for metric in method.report.metrics), *_cost_cells(method)]
        for method in comparison.methods
    ]
    lines = [*align(cells), '', f'{len(comparison.faces.names)} faces of {comparison.faces.face_size} px']
    lines += [f'{metric.label}: {_protocol(metric)}' for metric in metrics]
    lines += [f'{method.name}: {method.description}' for method in comparison.methods]
    lines += [INTERVAL_NOTE, f'{COST_NOTE}; {comparison.hardware}', *film_lines(comparison.films)]
    return '\n'.join(lines)


def to_csv(comparison: Comparison) -> str:
    """A line a method and face, then a line `mean` a method, with its cost."""
    names = [metric.name for metric in comparison.methods[0].report.metrics]
    lines: list[Sequence[object]] = [['method', 'image', *names, 'seconds', 'peak_bytes']]
    for method in comparison.methods:
        seconds = dict(zip(comparison.faces.names, method.cost.seconds, strict=False))
        for row in method.report.rows:
            values = [row.values.get(name, '') for name in names]
            lines.append([method.name, row.image, *values, seconds.get(row.image, ''), ''])
        means = ['missing' if metric.missing else metric.mean for metric in method.report.metrics]
        lines.append([method.name, 'mean', *means, _blank(method.cost.median), _blank(method.cost.peak_bytes)])
    return csv_text(lines)


def to_json(comparison: Comparison) -> str:
    """Everything; `seconds` of a method are its median and quartiles."""
    content = {
        'faces': comparison.faces.names,
        'face_size': comparison.faces.face_size,
        'hardware': comparison.hardware,
        'cost_protocol': COST_NOTE,
        'methods': [_method_json(method) for method in comparison.methods],
        'films': [film_json(film) for film in comparison.films],
    }
    return json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)


def _method_json(method: ComparedMethod) -> dict[str, Any]:
    return {
        'name': method.name,
        'description': method.description,
        'seconds': method.cost.median,
        'seconds_quartiles': method.cost.quartiles,
        'peak_bytes': method.cost.peak_bytes,
        **{key: value for key, value in json.loads(method.report.to_json()).items() if key in ('metrics', 'rows')},
    }


def _metric_cell(metric: MetricSummary) -> str:
    if metric.mean is None:
        return 'missing'
    mean = format_number(metric.mean)
    return mean if metric.half_width is None else f'{mean} ± {format_number(metric.half_width)}'


def _cost_cells(method: ComparedMethod) -> list[str]:
    cost = method.cost
    if cost.median is None or cost.quartiles is None:
        return ['-', '-']
    low, high = cost.quartiles
    memory = '-' if cost.peak_bytes is None else str(math.ceil(cost.peak_bytes / 1e6))
    return [f'{cost.median:.3f} [{low:.3f}, {high:.3f}]', memory]


def _protocol(metric: MetricSummary) -> str:
    return f'missing: {metric.missing}' if metric.missing else metric.protocol


def _blank(value: float | None) -> float | str:
    return '' if value is None else value
