import torch

from tests.benchmarks.live_tensors import peak_gib
from tests.benchmarks.network_benchmark import counted_memory_row


def test_only_what_lives_at_the_same_time_is_counted() -> None:
    x = torch.empty(2**28, device='meta')  # one GiB, made before

    def function() -> None:
        y = x + 1
        z = (y * 2).view(2, -1)  # y and z live, the view is z's memory
        y = z[0] + 1  # half a GiB while the old y still lives
        z.add_(1)
        del z
        x * y.sum()

    assert peak_gib(function) == 2.5


def test_a_batch_of_32_needs_a_quarter_of_the_references_memory() -> None:
    row = counted_memory_row()
    assert row.met, row
