"""One line of the benchmark's table, and how it is measured."""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

HEADER = '| what | median | min to max | baseline | ratio | target | met |\n|---|---|---|---|---|---|---|'


@dataclass(frozen=True)
class Row:
    """seconds and baseline: one value a repetition, measured alternately, in `unit` where it is not seconds.

    at_least: the ratio of the baseline's seconds to these that is aimed at; at_most: the seconds, or with `relative`
    the share of the baseline's seconds. note: instead of numbers, why there are none.
    """

    name: str
    seconds: Sequence[float] = ()
    baseline: Sequence[float] = ()
    at_least: float | None = None
    at_most: float | None = None
    relative: bool = False
    note: str = ''
    unit: str = 's'

    @property
    def ratio(self) -> float | None:
        """Median over the repetitions of baseline over ours: pairs that met the same load of the machine."""
        if not self.baseline:
            return None
        return statistics.median(b / s for b, s in zip(self.baseline, self.seconds, strict=True))

    @property
    def met(self) -> bool | None:
        """Whether the target is reached; None without one."""
        if self.at_least is not None and self.ratio is not None:
            return self.ratio >= self.at_least
        if self.at_most is not None and self.seconds:
            return (1 / self.ratio if self.relative and self.ratio else statistics.median(self.seconds)) <= self.at_most
        return None

    def __str__(self) -> str:
        target = ''
        if self.at_least is not None:
            target = f'>= {self.at_least:g}x'
        elif self.at_most is not None:
            target = f'<= {self.at_most:g}' + ('x the baseline' if self.relative else f' {self.unit}')
        if not self.seconds:
            return f'| {self.name} | {self.note} | | | | {target} | |'
        met = {True: 'yes', False: 'no', None: ''}[self.met]
        baseline = f'{statistics.median(self.baseline):.4g} {self.unit}' if self.baseline else ''
        ratio = f'{self.ratio:.2f}' if self.ratio else ''
        median = f'{statistics.median(self.seconds):.4g} {self.unit}'
        spread = f'{min(self.seconds):.4g} to {max(self.seconds):.4g}'
        return f'| {self.name} | {median} | {spread} | {baseline} | {ratio} | {target} | {met} |'


def alternate(functions: Sequence[Callable[[], object]], repetitions: int) -> list[list[float]]:
    """Seconds of each function, called in turn `repetitions` times after one call each that does not count."""
    seconds: list[list[float]] = [[] for _ in functions]
    for repetition in range(repetitions + 1):
        for function, times in zip(functions, seconds, strict=True):
            start = time.perf_counter()
            function()
            if repetition:
                times.append(time.perf_counter() - start)
    return seconds
