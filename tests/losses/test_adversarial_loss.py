import pytest
import torch

from daefr_arch.losses.adversarial_loss import DAEFRAdversarialLoss, adaptive_weight


def test_hinge_by_hand():
    loss = DAEFRAdversarialLoss(loss_weight=0.8)
    real, fake = torch.tensor([2.0, 0.5]), torch.tensor([-3.0, 1.0])
    assert loss.discriminator(real, fake).item() == pytest.approx((0.5 / 2 + 2.0 / 2) / 2)
    weighted, weight = loss.generator(fake, torch.tensor(0.0), torch.tensor(0.0))
    assert weighted.item() == pytest.approx(0.8 * 1.0)
    assert weight.item() == pytest.approx(0.8)


def test_vanilla_is_the_form_of_equation_2():
    loss = DAEFRAdversarialLoss(gan_type='vanilla')
    real, fake = torch.randn(2, 1, 3, 3), torch.randn(2, 1, 3, 3)
    expected = -(real.sigmoid().log().mean() + (1 - fake.sigmoid()).log().mean()) / 2
    torch.testing.assert_close(loss.discriminator(real, fake), expected)


def test_adaptive_weight_is_the_ratio_of_gradient_norms():
    layer = torch.randn(3, 4, 3, 3, requires_grad=True)
    assert adaptive_weight(6 * layer.sum(), 2 * layer.sum(), layer).item() == pytest.approx(3, rel=1e-4)
    assert adaptive_weight(layer.sum() * 0, layer.sum(), layer).item() == 0


def test_adaptive_weight_is_clamped():
    layer = torch.ones(3, 4, 3, 3, requires_grad=True)
    assert adaptive_weight(1e6 * layer.sum(), 0 * layer.sum(), layer).item() == 1e4


def test_adaptive_loss_multiplies_both_weights():
    layer = torch.ones(2, 3, requires_grad=True)
    loss = DAEFRAdversarialLoss(loss_weight=0.5, adaptive=True)
    weighted, weight = loss.generator(-layer.sum().expand(4), 3 * layer.sum(), layer)
    assert weight.item() == pytest.approx(1.5, rel=1e-3)
    weighted.backward()  # the weight itself has no gradient
    torch.testing.assert_close(layer.grad, torch.full((2, 3), weight.item()))


def test_start_iteration():
    loss = DAEFRAdversarialLoss(start_iteration=30001)
    assert not loss.active(30000)
    assert loss.active(30001)


@pytest.mark.parametrize('gan_type', ['hinge', 'vanilla'])
def test_gradients(gan_type):
    loss = DAEFRAdversarialLoss(gan_type=gan_type)
    real, fake = (torch.randn(2, 1, 2, 2, dtype=torch.float64, requires_grad=True) for _ in range(2))
    assert torch.autograd.gradcheck(loss.discriminator, (real, fake))
    assert torch.autograd.gradcheck(lambda logits: loss.generator(logits, logits.sum(), logits)[0], (fake,))
