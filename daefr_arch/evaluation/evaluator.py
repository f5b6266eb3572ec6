"""Measures a folder of results, with or without ground truth."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from daefr_arch.errors import InputError, UsageError
from daefr_arch.evaluation.report import ImageRow, MetricSummary, Report, mean_and_half_width
from daefr_arch.io.image_file import read_image
from daefr_arch.io.image_listing import list_images
from daefr_arch.io.pairing import pair_by_name
from daefr_arch.io.photo import as_uint8
from daefr_arch.io.progress import ProgressBar
from daefr_arch.metrics.metric import ImageMetric, Metric, SetMetric


@dataclass(frozen=True)
class EvaluationPair:
    """One result (and its ground truth), BGR uint8 (H, W, 3)."""

    name: str
    result: np.ndarray
    truth: np.ndarray | None = None


class Evaluator:
    """Runs metrics over images.

    Args:
        metrics: What to measure, in the order of the report; `build_metrics` makes them from names.
        missing: Metrics asked for that cannot be measured, with the reason, reported as missing.

    Example:
        >>> from daefr_arch.metrics.psnr_metric import PSNR
        >>> image = np.zeros((8, 8, 3), np.uint8)
        >>> report = Evaluator([PSNR()]).measure([EvaluationPair('a', image + np.uint8(51), image)])
        >>> round(report['psnr'].mean, 4)
        13.9794
    """

    def __init__(self, metrics: Sequence[Metric], *, missing: Sequence[MetricSummary] = ()) -> None:
        if not metrics:
            reasons = '; '.join(f'{summary.name}: {summary.missing}' for summary in missing)
            raise UsageError(f'no metric can be measured{": " + reasons if reasons else ""}')
        self.metrics = tuple(metrics)
        self.missing = tuple(missing)

    def run(self, results: str | Path, ground_truth: str | Path | None = None, *, progress: bool = False) -> Report:
        """Measures the images of a folder (or glob pattern), paired by name with those of `ground_truth`.

        Raises:
            UsageError: a metric needs a ground truth and none is given.
            InputError: missing or extra files, an unreadable image, or a result of another size than its truth.
        """
        if ground_truth is None:
            needing = [metric.name for metric in self.metrics if metric.needs_ground_truth]
            if needing:
                raise UsageError(f'{", ".join(needing)} need a ground truth folder (--ground_truth)')
        pairs = list_pairs(results, ground_truth)
        return self.measure(
            _read_pairs(ProgressBar(pairs, unit='image', disable=not progress)),
            results=str(results),
            ground_truth=None if ground_truth is None else str(ground_truth),
        )

    def measure(self, pairs: Iterable[EvaluationPair], *, results: str = '', ground_truth: str | None = None) -> Report:
        """Measures images at hand; `results` and `ground_truth` only name them in the report."""
        for metric in self.metrics:
            if isinstance(metric, SetMetric):
                metric.reset()
        rows = tuple(self._measure_pair(pair) for pair in pairs)
        if not rows:
            raise InputError('no images to measure')
        summaries = tuple(self._summarise(metric, rows) for metric in self.metrics)
        return Report(metrics=summaries + self.missing, rows=rows, results=results, ground_truth=ground_truth)

    def _measure_pair(self, pair: EvaluationPair) -> ImageRow:
        if pair.truth is not None and pair.truth.shape != pair.result.shape:
            raise InputError(
                f'{pair.name}: the result is {pair.result.shape[1]}x{pair.result.shape[0]}, its ground truth '
                f'{pair.truth.shape[1]}x{pair.truth.shape[0]}; resize one of them before measuring'
            )
        values = {}
        for metric in self.metrics:
            if isinstance(metric, ImageMetric):
                values[metric.name] = metric(pair.result, pair.truth)
            elif isinstance(metric, SetMetric):
                metric.update(pair.result, pair.truth)
        return ImageRow(pair.name, values)

    @staticmethod
    def _summarise(metric: Metric, rows: Sequence[ImageRow]) -> MetricSummary:
        if isinstance(metric, SetMetric):
            mean, half_width = metric.compute(), None
        else:
            mean, half_width = mean_and_half_width([row.values[metric.name] for row in rows])
        return MetricSummary(
            name=metric.name,
            label=metric.label,
            protocol=metric.protocol,
            lower_is_better=metric.lower_is_better,
            mean=mean,
            half_width=half_width,
            count=len(rows),
        )


def list_pairs(results: str | Path, ground_truth: str | Path | None = None) -> list[tuple[Path, Path | None]]:
    """The images of a folder (or glob pattern), each with that of `ground_truth` that its name belongs to, if given.

    Raises:
        InputError: nothing is there, or files are missing or extra.
    """
    if ground_truth is None:
        return [(path, None) for path in list_images(results)]
    return [*pair_by_name(list_images(results), list_images(ground_truth))]


def _read_pairs(pairs: Iterable[tuple[Path, Path | None]]) -> Iterator[EvaluationPair]:
    for result, truth in pairs:
        yield EvaluationPair(
            result.stem if truth is None else truth.stem, _read(result), None if truth is None else _read(truth)
        )


def _read(path: Path) -> np.ndarray:
    return as_uint8(read_image(path, whole=True).pixels)
