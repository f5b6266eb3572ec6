import math

import pytest
import torch

from daefr_arch.errors import TrainingError
from daefr_arch.models.loss_log import LossLog


def test_scalars_are_checked_one_step_late_and_before_they_are_read() -> None:
    log = LossLog()
    log.record(1, {'l_pix': torch.tensor(0.5)}, ['a.png'])
    assert log.averages() == {'l_pix': 0.5}
    log.record(2, {'l_pix': torch.tensor(math.nan)}, ['b.png'])
    with pytest.raises(TrainingError, match=r'iteration 2: l_pix is nan.*b\.png'):
        log.record(3, {'l_pix': torch.tensor(0.5)}, ['c.png'])


class _OnGpu(torch.Tensor):
    """A tensor that says it is on a GPU."""

    is_cuda = True


class _Event:
    """Stands for CUDA's: notes in `log` what is done with it."""

    log: list[str]

    def __init__(self) -> None:
        self.name = f'step {sum("record" in entry for entry in self.log) + 1}'

    def record(self) -> None:
        self.log.append(f'record {self.name}')

    def synchronize(self) -> None:
        self.log.append(f'wait for {self.name}')


def test_on_a_gpu_a_step_waits_for_the_copy_of_the_step_before_only(monkeypatch: pytest.MonkeyPatch) -> None:
    _Event.log = []
    monkeypatch.setattr(torch.cuda, 'Event', _Event)
    log = LossLog()
    for iteration in (1, 2, 3):
        log.record(iteration, {'l_pix': torch.tensor(0.5).as_subclass(_OnGpu)}, ['a.png'])
    assert _Event.log == ['record step 1', 'wait for step 1', 'record step 2', 'wait for step 2', 'record step 3']
    log.averages()
    assert _Event.log[-1] == 'wait for step 3'
