import inspect
import logging

import pytest
import torch
from matplotlib import get_data_path
from PIL import Image
from torch import nn
from torchvision.models.vgg import cfgs, make_layers
from torchvision.transforms.functional import gaussian_blur, to_tensor

from daefr_arch.errors import WeightsError
from daefr_arch.losses import perceptual_distance, perceptual_loss
from daefr_arch.losses.perceptual_distance import FeatureDistance
from daefr_arch.losses.perceptual_loss import DAEFRPerceptualLoss


@pytest.fixture(scope='module')
def face():
    """A photo's face, (1, 3, 128, 128) in [-1, 1]."""
    photo = Image.open(f'{get_data_path()}/sample_data/grace_hopper.jpg').crop((150, 40, 406, 296)).resize((128, 128))
    return to_tensor(photo)[None] * 2 - 1


def random_features(name):
    torch.manual_seed(0)
    return make_layers(cfgs[{'vgg16': 'D', 'vgg19': 'E'}[name]]).eval()


@pytest.fixture
def weights_at_hand(monkeypatch, tmp_path):
    """Gives random weights of the right shapes where pretrained ones would be fetched."""

    def fetch(name):
        path = tmp_path / name
        torch.save({f'features.{key}': value for key, value in random_features(name).state_dict().items()}, path)
        return path

    monkeypatch.setattr(perceptual_distance, 'fetch', fetch)


def _no_weights(name):
    raise WeightsError(f'{name} is not at hand')


def test_offline_backbone_orders_degradations(face):
    loss = DAEFRPerceptualLoss('efficientnet_lite0')
    mild, strong = gaussian_blur(face, 7, 1.0), gaussian_blur(face, 21, 4.0)
    assert loss(face, face).item() == 0
    assert 0 < loss(mild, face).item() < loss(strong, face).item() < 4
    assert loss(strong, face) == pytest.approx(DAEFRPerceptualLoss('efficientnet_lite0', 0.5)(strong, face).item() * 2)


def test_only_the_first_image_gets_a_gradient(face):
    loss = DAEFRPerceptualLoss('efficientnet_lite0').train()
    assert not loss.distance.training
    x, target = (gaussian_blur(face, 7, 1.0).requires_grad_(), face.clone().requires_grad_())
    loss(x, target).backward()
    assert x.grad.abs().sum() > 0
    assert target.grad is None
    assert not any(parameter.requires_grad for parameter in loss.parameters())


def test_falls_back_where_asked_and_says_so(monkeypatch, caplog):
    monkeypatch.setattr(perceptual_distance, 'fetch', _no_weights)
    monkeypatch.setattr(perceptual_loss._logger, 'propagate', True)
    with caplog.at_level(logging.INFO, logger='basicsr'):
        loss = DAEFRPerceptualLoss('vgg19', fallback='efficientnet_lite0')
    assert loss.backbone == 'efficientnet_lite0'
    assert 'no vgg19: vgg19 is not at hand' in caplog.text
    assert 'efficientnet_lite0 features' in caplog.text


def test_one_named_backbone_without_weights_is_an_error(monkeypatch):
    monkeypatch.setattr(perceptual_distance, 'fetch', _no_weights)
    with pytest.raises(WeightsError, match='no backbone for the perceptual loss: vgg19: vgg19 is not at hand'):
        DAEFRPerceptualLoss('vgg19')
    assert inspect.signature(DAEFRPerceptualLoss).parameters['fallback'].default is None


def test_unknown_backbone():
    with pytest.raises(ValueError, match="got 'resnet'"):
        DAEFRPerceptualLoss('resnet')


@pytest.mark.usefixtures('weights_at_hand')
def test_vgg19_compares_the_convolutions_before_relu(face):
    loss = DAEFRPerceptualLoss('vgg19')
    features = random_features('vgg19')
    mean, std = torch.tensor([[0.485, 0.456, 0.406], [0.229, 0.224, 0.225]]).view(2, 3, 1, 1)
    blurred = gaussian_blur(face, 7, 1.0)
    expected = 0.0
    for end in (2, 7, 16, 25, 34):
        a, b = (features[: end + 1](((x + 1) / 2 - mean) / std) for x in (face, blurred))
        a, b = (f / f.norm(dim=1, keepdim=True) for f in (a, b))
        expected += (a - b).square().sum(1).mean().item() / 5
    assert loss(face, blurred).item() == pytest.approx(expected, rel=1e-4)


@pytest.mark.usefixtures('weights_at_hand')
def test_lpips_uses_the_fetched_vgg16(face):
    loss = DAEFRPerceptualLoss('lpips')
    slice5 = loss.distance.network.net.slice5
    assert torch.equal(slice5.get_submodule('28').weight, random_features('vgg16')[28].weight)
    assert loss(gaussian_blur(face, 7, 1.0), face).item() > 0


@pytest.mark.usefixtures('weights_at_hand')
def test_lpips_cannot_be_another_distance():
    with pytest.raises(ValueError, match="got 'none' and 'mean'"):
        DAEFRPerceptualLoss('lpips', feature_norm='none')


def _two_slices(**options):
    torch.manual_seed(0)
    slices = [nn.Conv2d(3, 4, 3), nn.Sequential(nn.SiLU(), nn.Conv2d(4, 2, 3))]
    return FeatureDistance(slices, [0.5] * 3, [0.5] * 3, **options).double()


@pytest.mark.parametrize('feature_norm', ['none', 'unit'])
def test_sums_and_means_by_hand(feature_norm):
    x, y = (torch.rand(2, 3, 8, 8, dtype=torch.float64) for _ in range(2))
    sums, means = (_two_slices(feature_norm=feature_norm, reduction=reduction) for reduction in ('sum', 'mean'))
    squared = []
    for a, b in ((sums.slices[0](x), sums.slices[0](y)), [nn.Sequential(*sums.slices)(image) for image in (x, y)]):
        if feature_norm == 'unit':
            a, b = (f / f.norm(dim=1, keepdim=True) for f in (a, b))
        squared.append((a - b).square())
    torch.testing.assert_close(sums(x, y), sum(s.sum((1, 2, 3)) for s in squared))
    places = (s.sum(1) if feature_norm == 'unit' else s.mean(1) for s in squared)
    torch.testing.assert_close(means(x, y), sum(p.mean((1, 2)) for p in places) / 2)


@pytest.mark.parametrize('options', [{'feature_norm': 'l2'}, {'reduction': 'none'}], ids=str)
def test_unknown_distances(options):
    with pytest.raises(ValueError, match='expected'):
        _two_slices(**options)


@pytest.mark.parametrize('options', [{}, {'feature_norm': 'none', 'reduction': 'sum'}], ids=str)
def test_gradients(options):
    distance = _two_slices(**options)
    x, y = (torch.rand(1, 3, 6, 6, dtype=torch.float64, requires_grad=True) for _ in range(2))
    assert torch.autograd.gradcheck(distance, (x, y))
