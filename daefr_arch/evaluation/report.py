"""The result of an evaluation: every number with its protocol, as a table, CSV or JSON."""

import csv
import io
import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field

import numpy as np
from scipy.stats import t as student_t

FORMULA = ('=', '+', '-', '@', '\t', '\r')  # how spreadsheets' formulas begin
INTERVAL_NOTE = "mean ± half width of its 95% confidence interval (Student's t over the images)"


@dataclass(frozen=True)
class Mean:
    """A mean over images and half the width of its 95% interval, None where mean_and_half_width gives none."""

    mean: float
    half_width_95: float | None

    @classmethod
    def of(cls, values: Sequence[float]) -> 'Mean':
        """The mean of one value an image."""
        return cls(*mean_and_half_width(values))

    def __str__(self) -> str:
        interval = '' if self.half_width_95 is None else f' ± {format_number(self.half_width_95)}'
        return format_number(self.mean) + interval


@dataclass(frozen=True)
class MetricSummary:
    """One metric over all images.

    Attributes:
        name, label: of the metric, for programs and for readers.
        protocol: how it was measured, in one line.
        mean: of the images, or the number of the set; None where the metric is missing.
        half_width: of the 95% interval of the mean; None for a set's number, one image, or infinite values.
        count: images measured.
        missing: why there is no number, or None.
    """

    name: str
    label: str
    protocol: str
    lower_is_better: bool
    mean: float | None = None
    half_width: float | None = None
    count: int = 0
    missing: str | None = None


@dataclass(frozen=True)
class ImageRow:
    """The numbers of one image by metric name."""

    image: str
    values: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Report:
    """What `Evaluator` returns. `rows` holds the metrics of single images only; those of the set are in `metrics`."""

    metrics: tuple[MetricSummary, ...]
    rows: tuple[ImageRow, ...]
    results: str = ''
    ground_truth: str | None = None

    def __getitem__(self, name: str) -> MetricSummary:
        return next(metric for metric in self.metrics if metric.name == name)

    @property
    def missing(self) -> tuple[MetricSummary, ...]:
        """The metrics without a number."""
        return tuple(metric for metric in self.metrics if metric.missing)

    def to_text(self, *, per_image: bool = True) -> str:
        """An aligned table with the mean and the protocol of every metric below."""
        shown = [metric for metric in self.metrics if any(metric.name in row.values for row in self.rows)]
        lines = []
        if per_image:
            cells = [['image', *(metric.label for metric in shown)]]
            cells += [[row.image, *(format_number(row.values[metric.name]) for metric in shown)] for row in self.rows]
            lines += [*align(cells), '']
        cells = [['metric', 'mean', '95%', 'images', 'protocol']]
        cells += [
            [metric.label, *_summary_cells(metric), f'missing: {metric.missing}' if metric.missing else metric.protocol]
            for metric in self.metrics
        ]
        return '\n'.join([*lines, *align(cells, text_columns=(0, 4)), INTERVAL_NOTE])

    def to_csv(self) -> str:
        """One line an image; then lines `mean` and `half_width_95` (of a missing metric: empty, named in `missing`)."""
        names = [metric.name for metric in self.metrics]
        lines: list[Sequence[object]] = [['image', *names]]
        lines += [[row.image, *(row.values.get(name, '') for name in names)] for row in self.rows]
        lines.append(['mean', *('missing' if metric.missing else metric.mean for metric in self.metrics)])
        lines.append(['half_width_95', *('' if m.half_width is None else m.half_width for m in self.metrics)])
        return csv_text(lines)

    def to_json(self) -> str:
        """Everything, as json_text writes it."""
        return json_text(asdict(self))


def csv_text(lines: Iterable[Sequence[object]]) -> str:
    """CSV. A text that a spreadsheet would run as a formula, such as a file's name, gets an apostrophe before it.

    Example:
        >>> csv_text([['image', 'psnr'], ['=1+1.png', -2.5]])
        "image,psnr\\n'=1+1.png,-2.5\\n"
    """
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator='\n')
    for line in lines:
        writer.writerow([f"'{cell}" if isinstance(cell, str) and cell.startswith(FORMULA) else cell for cell in line])
    return buffer.getvalue()


def json_text(content: object) -> str:
    """JSON; infinite numbers are written as the strings "inf" and "-inf", which JSON has no numbers for."""
    return json.dumps(_finite(content), indent=2, ensure_ascii=False, allow_nan=False)


def mean_and_half_width(values: Sequence[float]) -> tuple[float, float | None]:
    """Mean and half width of its 95% confidence interval, t(0.975, n - 1) s / sqrt(n).

    Example:
        >>> mean, half_width = mean_and_half_width([1.0, 2.0, 3.0])
        >>> print(f'{mean:.3f} ± {half_width:.3f}')  # 4.303 / sqrt(3)
        2.000 ± 2.484
    """
    count = len(values)
    mean = float(np.mean(values))
    if count < 2 or not math.isfinite(mean):
        return mean, None
    return mean, float(student_t.ppf(0.975, count - 1) * np.std(values, ddof=1) / math.sqrt(count))


def format_number(value: float) -> str:
    """Four significant digits at least, never an exponent for what metrics give."""
    return f'{value:.2f}' if abs(value) >= 100 else f'{value:.4f}'


def align(cells: Sequence[Sequence[str]], *, text_columns: Sequence[int] = (0,)) -> list[str]:
    """Lines of a text table: `text_columns` flush left, the others, numbers, flush right."""
    widths = [max(len(row[column]) for row in cells) for column in range(len(cells[0]))]
    return [
        '  '.join(
            cell.ljust(width) if column in text_columns else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in cells
    ]


def _summary_cells(metric: MetricSummary) -> list[str]:
    mean = '-' if metric.mean is None else format_number(metric.mean)
    half_width = '' if metric.half_width is None else f'± {format_number(metric.half_width)}'
    return [mean, half_width, str(metric.count)]


def _finite(value: object) -> object:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value
