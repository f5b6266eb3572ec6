"""How the C library hands out memory on the CPU."""

import ctypes
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

# parameters of glibc's mallopt (mallopt(3)), and the variables by which a user sets them
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _MMAP_MAX = -1, -3, -4
_CHOSEN_BY_USER = ('MALLOC_TRIM_THRESHOLD_', 'MALLOC_MMAP_MAX_', 'MALLOC_MMAP_THRESHOLD_', 'GLIBC_TUNABLES')


@contextmanager
def freed_memory_kept() -> Iterator[None]:
    """Inside, glibc keeps the blocks that are freed for the next ones; at the end the system gets them back.

    Else every large feature map is mapped anew and the system clears its pages one by one, which takes a fifth of a
    forward pass. Does nothing where the C library is another, or where the environment says how to hand out memory.
    """
    glibc = _glibc()
    if glibc is None or any(name in os.environ for name in _CHOSEN_BY_USER):
        yield
        return
    glibc.mallopt(_MMAP_MAX, 0)
    glibc.mallopt(_TRIM_THRESHOLD, 2**31 - 1)
    try:
        yield
    finally:
        # where glibc's own adaptation, which mallopt ends, would arrive
        glibc.mallopt(_MMAP_MAX, 65536)
        glibc.mallopt(_MMAP_THRESHOLD, 32 << 20)
        glibc.mallopt(_TRIM_THRESHOLD, 64 << 20)
        glibc.malloc_trim(0)


def _glibc() -> ctypes.CDLL | None:
    libc = ctypes.CDLL(None) if sys.platform == 'linux' else None
    return libc if hasattr(libc, 'mallopt') else None
