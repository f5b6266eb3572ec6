"""Steps of a pipeline in threads of their own, with little between them; and what time each takes."""

import queue
import threading
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import TypeVar

Item = TypeVar('Item')

_POLL = 0.1  # seconds after which a thread looks whether its items are still wanted


def ahead(items: Iterator[Item], most: int, name: str) -> Generator[Item, None, None]:
    """The same items; a thread of this name runs `items` and keeps at most `most` of them.

    What it raises is raised here, in its place. Closing the generator ends the thread.
    """
    finished = object()
    waiting: queue.Queue = queue.Queue(maxsize=most)
    unwanted = threading.Event()

    def put(item: object) -> bool:
        while not unwanted.is_set():
            try:
                waiting.put(item, timeout=_POLL)
                return True
            except queue.Full:
                continue
        return False

    def run() -> None:
        try:
            for item in items:
                if not put((item, None)):
                    break
            put((finished, None))
        except BaseException as error:  # noqa: BLE001  it is raised where the items are taken
            put((finished, error))
        finally:
            if hasattr(items, 'close'):
                items.close()

    thread = threading.Thread(target=run, name=name, daemon=True)
    thread.start()
    try:
        while True:
            item, error = waiting.get()
            if error is not None:
                raise error
            if item is finished:
                return
            yield item
    finally:
        unwanted.set()
        thread.join()


class StepClock:
    """Seconds that each step has worked, in whatever thread."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._lock = threading.Lock()

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Counts the time within for this step."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.add(name, time.perf_counter() - start)

    def add(self, name: str, seconds: float) -> None:
        """Counts these seconds for the step."""
        with self._lock:
            self.seconds[name] = self.seconds.get(name, 0.0) + seconds

    def timed(self, name: str, items: Iterator[Item]) -> Iterator[Item]:
        """The same items; what getting them takes is counted for the step."""
        while True:
            with self.step(name):
                item = next(items, None)
            if item is None:
                return
            yield item
