import pytest
import torch
from basicsr.losses import build_loss

from daefr_arch.archs.bands import log_error_ratio
from daefr_arch.losses.evidence_loss import HIGHEST, LOWEST


@pytest.fixture
def pair():
    generator = torch.Generator().manual_seed(0)
    truth = torch.rand(2, 3, 64, 64, generator=generator) - 0.5
    return truth + 0.1 * torch.randn(truth.shape, generator=generator), truth


def clipped(photo, truth):
    """The targets."""
    return [ratio.clamp(LOWEST, HIGHEST) for ratio in log_error_ratio(photo, truth)]


def test_the_true_ratios_cost_nothing_and_explain_all(pair):
    loss = build_loss({'type': 'DAEFREvidenceLoss'})(clipped(*pair), *pair)
    assert loss.loss == 0
    assert loss.explained == 1


def test_an_error_beyond_beta_is_linear_and_weighted(pair):
    maps = [ratio + 2 for ratio in clipped(*pair)]
    loss = build_loss({'type': 'DAEFREvidenceLoss', 'loss_weight': 3.0, 'beta': 0.5})(maps, *pair)
    assert loss.loss.item() == pytest.approx(3 * (2 - 0.25), rel=1e-5)
    assert loss.explained < 0


def test_ratios_beyond_the_limits_are_clipped(pair):
    truth = pair[1]
    maps = clipped(truth + 5, truth)
    assert max(ratio.max() for ratio in log_error_ratio(truth + 5, truth)) > HIGHEST
    assert build_loss({'type': 'DAEFREvidenceLoss'})(maps, truth + 5, truth).loss == 0


def test_only_the_maps_get_a_gradient(pair):
    maps = [ratio.add(1).requires_grad_() for ratio in log_error_ratio(*pair)]
    photo, truth = (image.clone().requires_grad_() for image in pair)
    build_loss({'type': 'DAEFREvidenceLoss'})(maps, photo, truth).loss.backward()
    assert all(map_.grad.abs().sum() > 0 for map_ in maps)
    assert photo.grad is None
    assert truth.grad is None
