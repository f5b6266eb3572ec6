"""Against torchmetrics' own LPIPS with the same random backbone; the linear heads come with both packages."""

import pytest
import torch
from basicsr.metrics import calculate_metric
from torchmetrics.functional.image.lpips import _LPIPS
from torchvision.models import alexnet

from daefr_arch.checkpoints import MissingWeightsError
from daefr_arch.errors import InputError, WeightsError
from daefr_arch.io.tensors import to_tensor
from daefr_arch.metrics.lpips_metric import LPIPS, build_lpips, daefr_lpips


@pytest.fixture(scope='module')
def weights(tmp_path_factory) -> str:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp('weights') / 'alexnet.pth'
    features = alexnet(weights=None).features.state_dict()
    torch.save({f'features.{key}': value for key, value in features.items()}, path)
    return str(path)


@pytest.fixture(scope='module')
def reference(weights) -> _LPIPS:
    network = _LPIPS(pretrained=True, net='alex', pnet_rand=True)
    features = torch.load(weights)
    for part in network.net.children():
        for index, layer in part.named_children():
            if isinstance(layer, torch.nn.Conv2d):
                layer.load_state_dict({key: features[f'features.{index}.{key}'] for key in ('weight', 'bias')})
    return network


def test_agrees_with_torchmetrics(weights, reference, sharp, degraded):
    with torch.no_grad():
        expected = reference(to_tensor(degraded), to_tensor(sharp)).item()
    assert LPIPS('alex', weights=weights)(degraded, sharp) == pytest.approx(expected, rel=1e-4)
    assert daefr_lpips(sharp, sharp, net='alex', weights=weights) == 0
    options = {'type': 'daefr_lpips', 'net': 'alex', 'weights': weights}
    assert calculate_metric({'img': degraded, 'img2': sharp}, options) == pytest.approx(expected, rel=1e-4)


def test_order_of_channels_and_range_matter(weights, reference, sharp, degraded):
    value = LPIPS('alex', weights=weights)(degraded, sharp)
    assert LPIPS('alex', weights=weights)(degraded[..., ::-1], sharp[..., ::-1]) != pytest.approx(value, rel=1e-3)
    with torch.no_grad():
        half_range = reference((to_tensor(degraded) + 1) / 2, (to_tensor(sharp) + 1) / 2).item()
    assert half_range != pytest.approx(value, rel=1e-3)


def test_tensor_is_rgb_in_minus_one_to_one(sharp):
    tensor = to_tensor(sharp)
    assert tensor.shape == (1, 3, 256, 256)
    red = torch.from_numpy(sharp[:, :, 2].copy()).float()
    torch.testing.assert_close(tensor[0, 0], red / 127.5 - 1)


def test_weights_that_are_missing_or_do_not_fit(tmp_path, monkeypatch, weights):
    monkeypatch.setenv('DAEFR_HOME', str(tmp_path))
    build_lpips.cache_clear()
    with pytest.raises(MissingWeightsError, match=r'vgg16-397923af\.pth is not in'):
        LPIPS('vgg')
    with pytest.raises(WeightsError, match='vgg16: not the weights of Conv2d: misshapen: weight'):
        LPIPS('vgg', weights=weights)
    with pytest.raises(InputError, match='vgg, alex'):
        LPIPS('squeeze')
