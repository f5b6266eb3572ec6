import sys

import pytest
import torch

from daefr_arch.comparison.cost import Cost, PeakMemory


def test_median_and_quartiles():
    cost = Cost(seconds=(1.0, 2.0, 3.0, 4.0, 100.0))
    assert cost.median == 3
    assert cost.quartiles == (2, 4)
    assert Cost().median is None
    assert Cost().quartiles is None


def test_peak_is_that_of_what_was_allocated_since():
    memory = PeakMemory(torch.device('cpu'))
    size = 200_000_000
    block = torch.ones(size, dtype=torch.uint8)
    del block
    peak = memory.read()
    if sys.platform == 'linux':
        assert peak == pytest.approx(size, rel=0.1)
    else:
        assert peak is None
