"""What was tried of a shard: a worker that dies leaves the part that it was in, which is halved for the next one.

So a photo that kills its workers is alone in a part in the end, and is set aside; the others are restored. A shard that
nothing happens to is one part.
"""

import json
from dataclasses import dataclass, field
from typing import Any

from daefr_arch.cluster.store import Store
from daefr_arch.cluster.tables import ResultRow, read_results, result_table

DEATHS = 3  # of workers with a photo by itself, after which it is what kills them


@dataclass
class Part:
    """Photos of a shard, from `start` to before `stop`. deaths: of workers, with this part."""

    start: int
    stop: int
    deaths: int = 0

    @property
    def name(self) -> str:
        """As `0-500`."""
        return f'{self.start}-{self.stop}'

    @property
    def is_killer(self) -> bool:
        """Whether it is one photo that has killed too many."""
        return self.stop - self.start == 1 and self.deaths >= DEATHS

    def after_death(self) -> 'list[Part]':
        """What takes its place."""
        if self.stop - self.start == 1:
            return [Part(self.start, self.stop, self.deaths + 1)]
        middle = (self.start + self.stop) // 2
        return [Part(self.start, middle), Part(middle, self.stop)]


@dataclass
class Attempts:
    """The parts of a shard, in the store before each is begun. Written only by who holds the shard's lease."""

    store: Store
    shard: int
    parts: list[Part] = field(default_factory=list)

    @classmethod
    def of(cls, store: Store, shard: int, photos: int) -> 'Attempts':
        """Those of a shard of so many photos, after what its last worker, if it died, was in has been halved."""
        attempts = cls(store, shard)
        words: dict[str, Any] = json.loads(store.read(attempts._file('parts.json')) or '{}')
        attempts.parts = [Part(*part) for part in words.get('parts', [(0, photos, 0)])]
        begun = store.read(attempts._file('begun'))
        if begun is not None:
            attempts._note_death(begun.decode())
        return attempts

    def begin(self, part: Part) -> None:
        """Notes that a worker is in this part."""
        self.store.write(self._file('begun'), part.name.encode())

    def end(self, part: Part, rows: list[ResultRow]) -> None:
        """Keeps the results of a part, and notes that its worker lives. Of a shard in one part nothing is kept."""
        if len(self.parts) > 1:
            self.store.write(self._file(f'{part.name}.parquet'), result_table(rows))
        self.forgive()

    def forgive(self) -> None:
        """Notes that the worker has ended by itself, or was ended: the part is not to blame."""
        forgive(self.store, self.shard)

    def results(self, part: Part) -> list[ResultRow] | None:
        """The results of a part that was done; None of others."""
        data = self.store.read(self._file(f'{part.name}.parquet'))
        return None if data is None else read_results(data)

    def forget(self) -> None:
        """Removes all: the shard is done."""
        self.store.remove(f'attempts/{self.shard:06d}')

    def _note_death(self, begun: str) -> None:
        self.parts = [new for part in self.parts for new in (part.after_death() if part.name == begun else [part])]
        parts = [(part.start, part.stop, part.deaths) for part in self.parts]
        self.store.write(self._file('parts.json'), json.dumps({'parts': parts}).encode())
        self.forgive()

    def _file(self, name: str) -> str:
        return f'attempts/{self.shard:06d}/{name}'


def forgive(store: Store, shard: int) -> None:
    """As Attempts.forgive, for who ends a worker from outside."""
    store.remove(f'attempts/{shard:06d}/begun')
