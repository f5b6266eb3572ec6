"""Validation around a model that overflows in half precision, or everywhere."""

from types import SimpleNamespace

import pytest
import torch

from daefr_arch.errors import TrainingError
from daefr_arch.models.validation import validate


class OneFace(torch.utils.data.Dataset):
    def __init__(self):
        self.opt = {'name': 'faces'}

    def __len__(self):
        return 1

    def __getitem__(self, index):
        return {'lq': torch.full((3, 16, 16), 0.5)}


class Overflowing:
    """A stage whose network gives infinity under autocast; `broken`: always."""

    options = SimpleNamespace(val=SimpleNamespace(metrics={'mean': {'type': 'unused'}}, pbar=False))
    device = torch.device('cpu')
    amp_type = torch.bfloat16
    gt = None

    def __init__(self, broken):
        self.broken = broken
        self.opt = {'rank': 0}
        self.paths = ['faces/a.png']

    def feed_data(self, data):
        self.lq = data['lq']

    def autocast(self):
        return torch.autocast('cpu', dtype=self.amp_type)

    def restore(self):
        overflows = self.broken or torch.is_autocast_enabled('cpu')
        return self.lq * torch.inf if overflows else self.lq


def test_what_overflows_is_validated_in_float32(monkeypatch):
    monkeypatch.setattr('daefr_arch.models.validation._metric', lambda options, result, gt: float(result.mean()))
    values = validate(Overflowing(broken=False), OneFace(), 1, None, False)
    assert values == {'mean': 191.0}  # (0.5 + 1) / 2 of 255


def test_an_output_that_is_not_finite_ends_the_validation_by_name():
    with pytest.raises(TrainingError, match=r'validation faces: the network output for faces/a\.png is not finite'):
        validate(Overflowing(broken=True), OneFace(), 1, None, False)
