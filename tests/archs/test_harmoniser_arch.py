import pytest
import torch
from basicsr.archs import build_network
from torch import nn

OPTIONS = {'type': 'DAEFRHarmoniser', 'channels': [16, 16, 16], 'blocks': [1, 1]}


@pytest.fixture
def inputs():
    generator = torch.Generator().manual_seed(0)
    images = [torch.rand(2, 3, 64, 64, generator=generator) * 2 - 1 for _ in range(3)]
    weights = [torch.rand(2, 2, side, side, generator=generator) for side in (32, 32, 16, 8, 4, 2)]
    return (*images, weights)


def trained():
    """A network whose last convolution is not zero."""
    torch.manual_seed(0)
    net = build_network(OPTIONS)
    nn.init.normal_(net.conv_out.weight, std=0.1)
    return net


def test_untrained_it_corrects_nothing(inputs):
    assert not build_network(OPTIONS)(*inputs).any()


def test_correction_has_the_images_size_and_is_nothing_where_the_photo_shows_all(inputs):
    photo, network, mixture, weights = inputs
    net = trained()
    correction = net(photo, network, mixture, weights)
    assert correction.shape == photo.shape
    assert correction.abs().mean() > 1e-3
    full = [torch.ones_like(weight) for weight in weights]
    assert not net(photo, network, mixture, full).any()
    weights[0][:, :, :16] = weights[1][:, :, :16] = 1
    for weight in weights[2:]:
        weight.fill_(1)
    correction = net(photo, network, mixture, weights)
    assert not correction[:, :, :31].any()  # the last of its rows is blurred with the next
    assert correction[:, :, 32:].any()


def test_gradients_reach_every_parameter(inputs):
    net = trained()
    net(*inputs).square().mean().backward()
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in net.parameters())


def test_other_images_are_refused(inputs):
    with pytest.raises(ValueError, match='expected an image batch'):
        trained()(inputs[0][:, :1], *inputs[1:])
