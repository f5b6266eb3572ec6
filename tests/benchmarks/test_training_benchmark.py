import pytest
import torch

from tests.benchmarks.row import Row
from tests.benchmarks.training_benchmark import OFFICIAL, measure, training_rows
from tests.models.stages import read_options


@pytest.mark.parametrize('stage', OFFICIAL)
def test_every_stage_can_be_measured(stage: str) -> None:
    """At tiny size and as many repetitions as asked for, from random weights alone."""
    seconds, peak = measure(read_options(f'tiny/{stage}'), batch=2, repetitions=2)
    assert len(seconds) == 2
    assert min(seconds) > 0
    assert peak > 0


@pytest.mark.skipif(torch.cuda.is_available(), reason='measures for minutes where there is a GPU')
def test_rows_say_what_they_need() -> None:
    assert all(isinstance(row, Row) and row.note == 'needs a GPU' for row in training_rows())
    assert len(training_rows()) == len(OFFICIAL)
