import pytest
import torch
from basicsr.archs import build_network
from torch.nn import functional as F


@pytest.fixture
def discriminator():
    torch.manual_seed(0)
    return build_network({'type': 'DAEFRTextureDiscriminator', 'ch': 4})


def test_a_logit_a_patch(discriminator):
    logits = discriminator(torch.zeros(2, 3, 64, 96))
    assert logits.shape == (2, 1, 14, 22)


def test_shape_and_colour_are_not_seen(discriminator):
    grains = torch.randn(1, 1, 64, 64, generator=torch.Generator().manual_seed(1)) * 0.05
    shape = F.interpolate(torch.rand(1, 3, 2, 2) - 0.5, (64, 64), mode='bilinear')
    plain, other, coarser = (discriminator(image) for image in (grains + shape * 0, grains + shape, grains * 2 + shape))
    assert (other - plain).std() < 0.1 * plain.std()
    assert (coarser - plain).std() > 0.5 * plain.std()


def test_how_strong_a_texture_is_can_be_learned(discriminator):
    generator = torch.Generator().manual_seed(2)
    optimiser = torch.optim.Adam(discriminator.parameters(), 1e-3)
    for _ in range(40):
        grains = torch.randn(4, 3, 64, 64, generator=generator) * 0.05
        loss = F.softplus(-discriminator(grains)).mean() + F.softplus(discriminator(grains * 0.5)).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert loss < 0.7


def test_other_batches_are_refused(discriminator):
    with pytest.raises(ValueError, match='expected an image batch'):
        discriminator(torch.zeros(1, 1, 64, 64))
    with pytest.raises(ValueError, match='multiples of 32'):
        discriminator(torch.zeros(1, 3, 48, 64))
