import resource
import sys

import pytest
import torch

from daefr_arch.runtime import heap
from daefr_arch.runtime.heap import freed_memory_kept


def _page_faults() -> int:
    """Of ten feature maps of 64 MiB, one after the other."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(10):
        torch.ones(16 << 20)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


@pytest.fixture(autouse=True)
def no_choice_of_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in heap._CHOSEN_BY_USER:
        monkeypatch.delenv(name, raising=False)


@pytest.mark.skipif(sys.platform != 'linux', reason='another C library')
def test_freed_maps_are_used_again_inside_only() -> None:
    outside = _page_faults()
    with freed_memory_kept():
        inside = _page_faults()
    assert inside < outside / 2
    assert _page_faults() > outside / 2


def test_the_users_choice_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('MALLOC_TRIM_THRESHOLD_', '1000000')
    monkeypatch.setattr(heap, '_glibc', lambda: object())  # without mallopt: using it would raise
    with freed_memory_kept():
        pass


def test_another_c_library_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heap.ctypes, 'CDLL', lambda name: object())
    with freed_memory_kept():
        pass
