"""A measured table as Markdown and CSV: the paper's number beside ours in every cell."""

import csv
import io
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from daefr_arch.evaluation.report import INTERVAL_NOTE, MetricSummary, format_number


@dataclass(frozen=True)
class TableRow:
    """A row: its name, what it is in words, our numbers, the paper's by metric, and which checkpoints it was."""

    name: str
    what: str
    metrics: tuple[MetricSummary, ...]
    paper: Mapping[str, float]
    source: str = ''


@dataclass(frozen=True)
class Table:
    """A table. faces: what was measured, in words."""

    title: str
    faces: str
    rows: tuple[TableRow, ...]

    @property
    def missing(self) -> bool:
        """Whether a metric has no number."""
        return any(metric.missing for row in self.rows for metric in row.metrics)

    def to_markdown(self) -> str:
        """The table; below it faces, protocols, missing metrics and checkpoints."""
        metrics = self.rows[0].metrics
        in_paper = {metric.name for metric in metrics if any(metric.name in row.paper for row in self.rows)}
        head = ['', '']
        for metric in metrics:
            head += [f'{metric.label} paper', f'{metric.label} ours'] if metric.name in in_paper else [metric.label]
        cells = [[row.name, row.what, *_number_cells(row, in_paper)] for row in self.rows]
        notes = [self.faces, *(_note(metric) for metric in metrics)]
        if any(metric.half_width is not None for row in self.rows for metric in row.metrics):
            notes.append(f'ours: {INTERVAL_NOTE}')
        notes += [f'{row.name}: {row.source}' for row in self.rows if row.source]
        lines = [f'## {self.title}', '', *_markdown_rows(head, cells), '', *(f'- {note}' for note in notes)]
        return '\n'.join(lines) + '\n'

    def to_csv(self) -> str:
        """A line a row, with the columns METRIC, METRIC_half_width_95 and METRIC_paper of every metric."""
        buffer = io.StringIO()
        writer = csv.writer(buffer, lineterminator='\n')
        names = [metric.name for metric in self.rows[0].metrics]
        columns = [column for name in names for column in (name, f'{name}_half_width_95', f'{name}_paper')]
        writer.writerow(['row', 'what', *columns])
        for row in self.rows:
            values: list[float | str | None] = []
            for metric in row.metrics:
                mean = 'missing' if metric.missing else metric.mean
                values += [mean, metric.half_width, row.paper.get(metric.name)]
            writer.writerow([row.name, row.what, *('' if value is None else value for value in values)])
        return buffer.getvalue()


def _number_cells(row: TableRow, in_paper: Collection[str]) -> list[str]:
    cells = []
    for metric in row.metrics:
        if metric.name in in_paper:
            paper = row.paper.get(metric.name)
            cells.append('' if paper is None else f'{paper:.3f}')
        ours = 'missing' if metric.mean is None else format_number(metric.mean)
        cells.append(ours if metric.half_width is None else f'{ours} ± {format_number(metric.half_width)}')
    return cells


def _note(metric: MetricSummary) -> str:
    return f'{metric.label}: {f"missing: {metric.missing}" if metric.missing else metric.protocol}'


def _markdown_rows(head: Sequence[str], cells: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(3, *(len(row[column]) for row in (head, *cells))) for column in range(len(head))]
    rule = ['-' * width for width in widths[:2]] + ['-' * (width - 1) + ':' for width in widths[2:]]
    padded = [
        [cell.ljust(width) if column < 2 else cell.rjust(width) for column, (cell, width) in enumerate(pairs)]
        for pairs in (list(zip(row, widths, strict=True)) for row in (head, *cells))
    ]
    return [f'| {" | ".join(row)} |' for row in (padded[0], rule, *padded[1:])]
