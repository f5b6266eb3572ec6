import pytest
import torch

from daefr_arch.losses.adversarial_loss import DAEFRAdversarialLoss, adaptive_weight


def test_hinge_by_hand():
    loss = DAEFRAdversarialLoss(loss_weight=0.8)
    real, fake = torch.tensor([2.0, 0.5]), torch.tensor([-3.0, 1.0])
    assert loss.discriminator(real, fake).item() == pytest.approx((0.5 / 2 + 2.0 / 2) / 2)
    assert loss.generator(fake).item() == pytest.approx(1.0)
    assert loss.weight(torch.ones(2), torch.ones(2)).item() == pytest.approx(0.8)


def test_vanilla_is_the_form_of_equation_2():
    loss = DAEFRAdversarialLoss(gan_type='vanilla')
    real, fake = torch.randn(2, 1, 3, 3), torch.randn(2, 1, 3, 3)
    expected = -(real.sigmoid().log().mean() + (1 - fake.sigmoid()).log().mean()) / 2
    torch.testing.assert_close(loss.discriminator(real, fake), expected)


def test_log_is_equation_2_and_both_sides_play_for_it():
    torch.manual_seed(0)
    loss = DAEFRAdversarialLoss(gan_type='log')
    real, fake = torch.randn(2, 1, 3, 3), torch.randn(2, 1, 3, 3, requires_grad=True)
    value = real.sigmoid().log().mean() + (1 - fake.sigmoid()).log().mean()
    torch.testing.assert_close(loss.discriminator(real, fake), -value)
    torch.testing.assert_close(loss.generator(fake), (1 - fake.sigmoid()).log().mean())
    parts = loss.discriminator(real, fake), loss.generator(fake)
    (up,), (down,) = (torch.autograd.grad(part, fake) for part in parts)
    torch.testing.assert_close(up, -down)
    assert loss.generator(torch.full((1, 1, 2, 2), 200.0)).isfinite()


@pytest.mark.parametrize(
    ('reconstruction', 'adversarial', 'expected'), [(6.0, 2.0, 3.0), (0.0, 1.0, 0.0), (1e6, 0.0, 1e4)]
)
def test_adaptive_weight_is_the_clamped_ratio_of_gradient_norms(reconstruction, adversarial, expected):
    layer = torch.ones(3, 4, 3, 3)
    assert adaptive_weight(reconstruction * layer, adversarial * layer).item() == pytest.approx(expected, rel=1e-4)


def test_adaptive_weight_of_gradients_that_overflowed_is_a_number():
    layer = torch.ones(3, 4, 3, 3)
    for reconstruction, adversarial in ((torch.inf, torch.inf), (torch.nan, 1.0), (1.0, torch.inf)):
        assert adaptive_weight(reconstruction * layer, adversarial * layer).item() == 0


def test_adaptive_loss_multiplies_both_weights():
    loss = DAEFRAdversarialLoss(loss_weight=0.5, adaptive=True)
    assert loss.weight(torch.full((2, 3), 3.0), torch.ones(2, 3)).item() == pytest.approx(1.5, rel=1e-3)


def test_start_iteration():
    loss = DAEFRAdversarialLoss(start_iteration=30001)
    assert not loss.active(30000)
    assert loss.active(30001)


@pytest.mark.parametrize('gan_type', ['hinge', 'log', 'vanilla'])
def test_gradients(gan_type):
    loss = DAEFRAdversarialLoss(gan_type=gan_type)
    real, fake = (torch.randn(2, 1, 2, 2, dtype=torch.float64, requires_grad=True) for _ in range(2))
    assert torch.autograd.gradcheck(loss.discriminator, (real, fake))
    assert torch.autograd.gradcheck(loss.generator, (fake,))
