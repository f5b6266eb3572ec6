"""Who works on a shard. Leases save work; that nothing is done twice is the commit's doing, not theirs."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from daefr_arch.cluster.process_identity import is_dead, this_process
from daefr_arch.cluster.store import Store
from daefr_arch.errors import OutputError

EXPIRY = 120.0  # seconds without a sign of life, by clocks that agree to some seconds
RENEWAL = 20.0


class Lease:
    """Held by a worker while it works on a shard. `lost`: another one has taken it over."""

    def __init__(self, store: Store, shard: int) -> None:
        self._store = store
        self._name = lease_file(shard)
        self._owner = f'{this_process()}~{threading.get_ident()}'
        self._released = threading.Event()
        self.lost = False

    @contextmanager
    def held(self) -> Iterator[bool]:
        """Inside it is held, if True; a thread renews it."""
        if not self._take():
            yield False
            return
        thread = threading.Thread(target=self._renew, daemon=True)
        thread.start()
        try:
            yield True
        finally:
            self._released.set()
            thread.join()
            if not self.lost and self._is_mine():
                with suppress(OutputError):
                    self._store.remove(self._name)

    def _take(self) -> bool:
        if self._store.create(self._name, self._words()):
            return True
        if not is_free(_words_of(self._store.read(self._name))):
            return False
        self._store.remove(self._name)
        return self._store.create(self._name, self._words())

    def _renew(self) -> None:
        while not self._released.wait(RENEWAL):
            with suppress(OutputError):  # a full disk: at worst another worker does the same
                if not self._is_mine():
                    self.lost = True
                    return
                self._store.write(self._name, self._words())

    def _is_mine(self) -> bool:
        words = _words_of(self._store.read(self._name))
        return words is not None and words.get('owner') == self._owner

    def _words(self) -> bytes:
        return json.dumps({'owner': self._owner, 'process': this_process(), 'renewed': time.time()}).encode()


def lease_file(shard: int) -> str:
    """The name of a shard's lease."""
    return f'leases/{shard:06d}.json'


def is_free(words: dict[str, Any] | None) -> bool:
    """Whether what a lease says leaves its shard to others: its process has ended, or gave no sign of life for long."""
    if words is None:
        return True
    dead = is_dead(str(words.get('process')))
    return time.time() - float(words.get('renewed', 0)) > EXPIRY if dead is None else dead


def read_lease(store: Store, shard: int) -> dict[str, Any] | None:
    """What the lease of a shard says; None where there is none."""
    return _words_of(store.read(lease_file(shard)))


def _words_of(data: bytes | None) -> dict[str, Any] | None:
    if data is None:
        return None
    try:
        words = json.loads(data)
    except ValueError:
        return {}
    return words if isinstance(words, dict) else {}
