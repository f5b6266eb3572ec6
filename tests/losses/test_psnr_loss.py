import math

import pytest
import torch
from basicsr.losses import build_loss

from daefr_arch.losses.psnr_loss import DAEFRPSNRLoss


def test_it_is_the_mean_psnr_of_the_images():
    generator = torch.Generator().manual_seed(0)
    target = torch.rand(3, 3, 8, 8, generator=generator) * 2 - 1
    x = target + torch.tensor([0.02, 0.1, 0.5])[:, None, None, None] * torch.randn(3, 3, 8, 8, generator=generator)
    psnr = -10 * ((x - target) / 2).square().mean((1, 2, 3)).log10()
    loss = build_loss({'type': 'DAEFRPSNRLoss', 'loss_weight': 2.0, 'floor': 1e-12})(x, target)
    assert loss.item() == pytest.approx(-2 * psnr.mean().item() * math.log(10) / 10, rel=1e-4)


def test_a_decibel_counts_the_same_in_each_image():
    target = torch.zeros(2, 3, 4, 4)
    x = torch.stack([torch.full((3, 4, 4), 0.02), torch.full((3, 4, 4), 0.5)]).requires_grad_()
    DAEFRPSNRLoss(floor=1e-12)(x, target).backward()
    gained = (x.grad * x).sum((1, 2, 3))  # by a change of the error by the same factor
    torch.testing.assert_close(gained[0], gained[1])


def test_without_any_error_it_is_finite():
    x = torch.zeros(1, 3, 4, 4, requires_grad=True)
    loss = DAEFRPSNRLoss()(x, torch.zeros(1, 3, 4, 4))
    loss.backward()
    assert loss.isfinite()
    assert x.grad.isfinite().all()
