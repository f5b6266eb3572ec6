"""Progress bars, and how far the last one got: an interrupted command says so."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any, ClassVar

from tqdm import tqdm


class ProgressBar(tqdm):
    """tqdm's bar with its arguments. The last one that was shown is remembered."""

    last: ClassVar['ProgressBar | None'] = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not self.disable:
            ProgressBar.last = self

    def __iter__(self) -> Iterator[Any]:
        """As tqdm's, but `n` is true at every time, not only when the bar is drawn."""
        try:
            for item in self.iterable:
                yield item
                self.update()
        finally:
            self.close()

    def moves_with(self, future: Future) -> None:
        """Moves by one when the work is done, in whatever thread."""
        future.add_done_callback(self._count_done)

    def _count_done(self, future: Future) -> None:
        if not future.cancelled():
            with self.get_lock():
                self.update()

    def count(self) -> str:
        """As `3 of 10 photos`, with the bar's description where it has one."""
        what = f' ({self.desc.removesuffix(": ")})' if self.desc else ''
        plural = '' if self.unit.endswith('s') else 'es' if self.unit.endswith('ch') else 's'
        return f'{self.n} of {self.total} {self.unit}{plural}{what}'


@contextmanager
def frame_progress(desc: str | None = None) -> Iterator[Callable[[int, int], None]]:
    """A bar of the frames of a film: what it yields is told those that are done and those that there are, or 0."""
    bars: list[ProgressBar] = []

    def show(done: int, expected: int) -> None:
        if not bars:  # frames of a run before say nothing of the speed
            bars.append(ProgressBar(total=expected or None, unit='frame', initial=done - 1, desc=desc))
        bars[0].update(done - bars[0].n)

    try:
        yield show
    finally:
        for bar in bars:
            bar.close()
