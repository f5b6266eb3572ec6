"""The record of a finished row: its numbers, and a fingerprint of everything that they come from."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from daefr_arch.errors import InputError
from daefr_arch.evaluation.report import MetricSummary, Report
from daefr_arch.io.atomic_file import write_bytes
from daefr_arch.metrics.metric import Metric
from daefr_arch.options.checks import first_difference

RECORD = 'record.json'
CHECKPOINTS = 'checkpoints'


@dataclass(frozen=True)
class RowRecord:
    """The numbers of a row over all faces, and the fingerprint that a later run is compared with.

    The fingerprint has plain JSON values: `row`, `options` (the whole training's), `checkpoints` (label -> SHA-256),
    `test_set` (SHA-256), `metrics` (name -> protocol).
    """

    fingerprint: Mapping[str, Any]
    metrics: tuple[MetricSummary, ...]


def metric_protocols(metrics: Sequence[Metric], missing: Sequence[MetricSummary]) -> dict[str, str]:
    """Metric -> how it is measured, for the fingerprint."""
    return {metric.name: metric.protocol for metric in metrics} | {metric.name: 'missing' for metric in missing}


def write_record(folder: Path, fingerprint: Mapping[str, Any], report: Report) -> RowRecord:
    """Writes record.json, whole or not at all: with it the row is finished. It has the numbers of every image too."""
    content = {'fingerprint': fingerprint, **json.loads(report.to_json())}
    write_bytes(folder / RECORD, json.dumps(content, indent=2, ensure_ascii=False).encode())
    return RowRecord(fingerprint, report.metrics)


def read_record(folder: Path) -> RowRecord | None:
    """The record of a finished row, None of another.

    Raises:
        InputError: the file is damaged.
    """
    file = folder / RECORD
    if not file.is_file():
        return None
    try:
        content = json.loads(file.read_text(encoding='utf-8'))
        metrics = tuple(_summary(metric) for metric in content['metrics'])
        return RowRecord(content['fingerprint'], metrics)
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise InputError(f'{file}: no record of a row ({error!r}); remove {folder} to measure the row again') from error


def check_record(folder: Path, record: RowRecord, fingerprint: Mapping[str, Any]) -> None:
    """Raises InputError, with the first difference, where a finished row comes from something else than now.

    Where `fingerprint` has no checkpoints (they were removed after the row was finished), they are not compared.
    """
    then = dict(record.fingerprint)
    if CHECKPOINTS not in fingerprint:
        then.pop(CHECKPOINTS, None)
    difference = first_difference(then, json.loads(json.dumps(fingerprint)))
    if difference:
        raise InputError(
            f'{folder} was finished with something else: {difference}; remove the folder to do the row again, '
            'or name another output folder (-o)'
        )


def _summary(content: dict[str, Any]) -> MetricSummary:
    numbers = {key: None if content[key] is None else float(content[key]) for key in ('mean', 'half_width')}
    return MetricSummary(**{**content, **numbers})
