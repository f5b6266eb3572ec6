import cv2
import numpy as np
import pytest
import torch
from basicsr.archs import build_network
from torch import nn

from daefr_arch.archs import bands
from daefr_arch.archs.harmoniser_arch import GAINS

OPTIONS = {'type': 'DAEFRHarmoniser', 'channels': [16, 16, 16, 16], 'blocks': [1, 1, 1, 1]}


@pytest.fixture
def inputs():
    generator = torch.Generator().manual_seed(0)
    images = [torch.rand(2, 3, 64, 64, generator=generator) * 2 - 1 for _ in range(3)]
    weights = [torch.rand(2, 2, side, side, generator=generator) for side in (32, 32, 16, 8, 4, 2)]
    return (*images, weights)


def trained():
    """A network whose last layers are not zero."""
    torch.manual_seed(0)
    net = build_network(OPTIONS)
    nn.init.normal_(net.conv_out.weight, std=0.1)
    nn.init.normal_(net.gains.last.weight, std=0.1)
    nn.init.normal_(net.up3.weight, std=0.1)
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
    assert not correction[:, :, :26].any()  # the last of its rows are blurred with the next
    assert correction[:, :, 32:].any()


def test_gradients_reach_every_parameter(inputs):
    net = trained()
    net(*inputs).square().mean().backward()
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in net.parameters())


def test_other_images_are_refused(inputs):
    with pytest.raises(ValueError, match='expected an image batch'):
        trained()(inputs[0][:, :1], *inputs[1:])


def with_gains(values):
    """A network that draws nothing and has these gains in all places, of all faces."""
    net = build_network(OPTIONS)
    net.conv_out.bias.data[-GAINS:] = torch.tensor(values)
    return net


def test_gains_raise_the_bands_of_luma_where_something_is_missing(inputs):
    photo, network, _, weights = inputs
    weights[0].fill_(0)
    luma, other = (bands.to_ycc(image)[:, :1] for image in (photo, network))
    coarse = luma
    for _ in range(3):
        coarse = bands.shrink(coarse)
    for _ in range(3):
        coarse = bands.expand(coarse)
    raised = with_gains([1.0, 1, 1, 0, 0, 0, 0, 0])(*inputs)
    torch.testing.assert_close(raised, (luma - coarse).expand(-1, 3, -1, -1))
    sharpened = with_gains([0.0, 0, 0, 2, 0, 0, 0, 0])(*inputs)
    torch.testing.assert_close(sharpened, 2 * bands.upper_half(luma).expand(-1, 3, -1, -1))
    weights[0][..., 16:] = weights[1][..., 16:] = 1
    for weight in weights[2:]:
        weight.fill_(1)
    lowered = with_gains([0.0, 0, 0, 0, -1, 0, 0, 0])(*inputs)
    band = other - bands.expand(bands.shrink(other))
    torch.testing.assert_close(lowered[..., :24], -band[..., :24].expand(-1, 3, -1, -1))
    assert not lowered[..., 40:].any()


def test_gains_of_a_face_are_for_faces_whose_features_are_shown(inputs):
    weights = inputs[3]
    net = build_network(OPTIONS)
    net.gains.last.bias.data.fill_(1)
    weights[bands.FEATURES].fill_(1)
    assert net(*inputs).any()
    weights[bands.FEATURES].fill_(0)
    assert not net(*inputs).any()


def test_gains_learn_to_undo_a_blur():
    """Of a face alone, and of none of its neighbours in the batch."""
    torch.manual_seed(0)
    sharp = torch.nn.functional.avg_pool2d(torch.randn(8, 1, 66, 66), 3, 1).repeat(1, 3, 1, 1)
    sigmas = torch.linspace(0.6, 1.2, 8).tolist()
    pairs = zip(sharp.numpy(), sigmas, strict=True)
    soft = torch.from_numpy(
        np.stack([cv2.GaussianBlur(i.transpose(1, 2, 0), (0, 0), s).transpose(2, 0, 1) for i, s in pairs])
    )
    images = (soft, torch.zeros_like(soft), soft)
    weights = [torch.full((8, 2, side, side), 0.8) for side in (32, 32, 16, 8, 4, 2)]
    net = build_network(OPTIONS)
    optimiser = torch.optim.Adam(net.gains.parameters(), 1e-2)
    for _ in range(150):
        loss = (soft + net(*images, weights) - sharp).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert loss < 0.4 * (soft - sharp).square().mean()
    alone = net(*(image[:1] for image in images), [weight[:1] for weight in weights])
    torch.testing.assert_close(alone, net(*images, weights)[:1], rtol=1e-4, atol=1e-5)
