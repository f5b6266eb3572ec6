import pytest
import torch
from basicsr.archs import build_network

from daefr_arch.checkpoints import load_network, save_network

OPTIONS = {'type': 'DAEFREvidence'}


def test_size_is_within_its_budget():
    count = sum(parameter.numel() for parameter in build_network(OPTIONS).parameters())
    assert 0.3e6 < count <= 0.5e6


@pytest.mark.parametrize('side', [32, 96])
def test_maps_have_the_sizes_of_the_bands_energies(side):
    maps = build_network(OPTIONS).eval()(torch.zeros(2, 3, side, side))
    assert [tuple(map_.shape) for map_ in maps] == [(2, 2, side // s, side // s) for s in (2, 2, 4, 8, 16, 32)]


def test_gradients_reach_every_parameter():
    net = build_network(OPTIONS)
    images = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0)) * 2 - 1
    sum(map_.square().mean() for map_ in net(images)).backward()
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in net.parameters())


@pytest.mark.parametrize(
    ('batch', 'error'),
    [
        (torch.zeros(1, 3, 40, 40), ValueError),
        (torch.zeros(1, 1, 64, 64), ValueError),
        (torch.zeros(1, 3, 64, 64, dtype=torch.uint8), TypeError),
    ],
)
def test_other_batches_are_refused(batch, error):
    with pytest.raises(error, match='expected'):
        build_network(OPTIONS).eval()(batch)


def test_channels_that_fit_no_levels_are_refused():
    with pytest.raises(ValueError, match='expected 5 numbers'):
        build_network({**OPTIONS, 'channels': [8, 8]})


def test_weights_in_half_precision_give_the_same_maps(tmp_path):
    torch.manual_seed(0)
    net = build_network(OPTIONS)
    images = torch.rand(4, 3, 64, 64) * 2 - 1
    net(images)  # running statistics
    path = tmp_path / 'evidence.safetensors'
    save_network(path, net.state_dict(), OPTIONS, torch.float16)
    assert path.stat().st_size < 1.5e6
    for ours, theirs in zip(load_network(path)(images), net.eval()(images), strict=True):
        assert torch.allclose(ours, theirs, atol=2e-2)
