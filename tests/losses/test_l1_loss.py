import pytest
import torch
from basicsr.losses import build_loss

from daefr_arch.losses.l1_loss import DAEFRL1Loss


def test_the_mean_is_basicsrs_loss():
    x, target = torch.randn(2, 3, 4, 4), torch.randn(2, 3, 4, 4)
    assert torch.equal(DAEFRL1Loss(0.5)(x, target), build_loss({'type': 'L1Loss', 'loss_weight': 0.5})(x, target))


def test_sums_are_those_of_an_image():
    x, target = torch.randn(2, 3, 4, 4), torch.randn(2, 3, 4, 4)
    loss = build_loss({'type': 'DAEFRL1Loss', 'loss_weight': 2.0, 'reduction': 'sum'})(x, target)
    torch.testing.assert_close(loss, 2 * (x - target).abs().sum((1, 2, 3)).mean())


def test_half_precision_is_summed_in_float32():
    x, target = torch.ones(1, 3, 256, 256, dtype=torch.float16), torch.zeros(1, 3, 256, 256, dtype=torch.float16)
    assert DAEFRL1Loss(reduction='sum')(x, target).item() == 3 * 256 * 256  # above the largest float16


def test_unknown_reduction():
    with pytest.raises(ValueError, match="got 'none'"):
        DAEFRL1Loss(reduction='none')
