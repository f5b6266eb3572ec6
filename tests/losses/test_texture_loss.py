import math

import pytest
import torch
from basicsr.losses import build_loss


@pytest.fixture
def texture():
    return torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0)) * 0.2


def test_it_is_zero_for_the_same_texture_elsewhere(texture):
    loss = build_loss({'type': 'DAEFRTextureLoss'})
    assert loss(texture, texture) == 0
    assert loss(-texture, texture) == pytest.approx(0, abs=1e-6)


def test_half_the_texture_costs_the_log_of_its_energy(texture):
    loss = build_loss({'type': 'DAEFRTextureLoss', 'loss_weight': 2.0, 'floor': 1e-9})
    assert loss(texture / 2, texture).item() == pytest.approx(2 * math.log(4), rel=1e-3)


def test_texture_below_the_floor_does_not_count(texture):
    loss = build_loss({'type': 'DAEFRTextureLoss', 'floor': 1e-4})
    assert loss(texture * 0, texture * 1e-3) < 0.01


def test_gradient_reaches_the_image_and_not_the_target(texture):
    x, target = (texture * 0.7).requires_grad_(), texture.clone().requires_grad_()
    build_loss({'type': 'DAEFRTextureLoss'})(x, target).backward()
    assert x.grad.abs().sum() > 0
    assert target.grad is None
