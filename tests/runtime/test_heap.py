import subprocess
import sys

import pytest

from daefr_arch.runtime import heap
from daefr_arch.runtime.heap import freed_memory_kept

# page faults of ten feature maps of 64 MiB, one after the other: before, inside and after
FAULTS = """
import resource
import daefr_cli
daefr_cli.create_package()  # as the console command does: PyTorch is not needed here
from daefr_arch.runtime.heap import freed_memory_kept

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(10):
        b'1' * (64 << 20)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

print(faults())
with freed_memory_kept():
    print(faults())
print(faults())
"""


@pytest.fixture(autouse=True)
def no_choice_of_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in heap._CHOSEN_BY_USER:
        monkeypatch.delenv(name, raising=False)


@pytest.mark.skipif(sys.platform != 'linux', reason='another C library')
def test_freed_maps_are_used_again_inside_only() -> None:
    """In a process of its own: blocks of other tests that still lie at the heap's end would keep it from shrinking."""
    result = subprocess.run([sys.executable, '-c', FAULTS], capture_output=True, text=True, check=True)
    before, inside, after = map(int, result.stdout.split())
    assert inside < before / 2
    assert after > before / 2


def test_the_users_choice_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('MALLOC_TRIM_THRESHOLD_', '1000000')
    monkeypatch.setattr(heap, '_glibc', lambda: object())  # without mallopt: using it would raise
    with freed_memory_kept():
        pass


def test_another_c_library_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heap.ctypes, 'CDLL', lambda name: object())
    with freed_memory_kept():
        pass
