"""DAEFR through spandrel: detected among its architectures, loaded from the state dict alone, equal to ours."""

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from spandrel import MAIN_REGISTRY, ImageModelDescriptor, ModelLoader
from spandrel.util import KeyCondition
from spandrel_extra_arches import EXTRA_REGISTRY

from daefr_arch import checkpoints, spandrel
from daefr_arch.archs.codebook_arch import DAEFRCodebook
from daefr_arch.archs.daefr_arch import DAEFR
from daefr_arch.errors import WeightsError
from daefr_arch.runtime.face_network import FaceNetwork
from tests.faces.photos import astronaut
from tests.golden_parameters import TINY, TINY_DAEFR, golden, image, official_state_dict, relative_error


@pytest.fixture
def loader():
    """With a copy of the registry that programs use, so that it is as it was afterwards."""
    registry = MAIN_REGISTRY.copy()
    registry.add(*EXTRA_REGISTRY)
    registry.add(*[support for support in [_support()] if support.architecture.id not in registry])
    return ModelLoader(registry=registry)


def _support():
    (support,) = spandrel.install(ignore_duplicates=True) or [MAIN_REGISTRY[spandrel.ID]]
    return support


VARIANTS = [
    {},
    {'ch': 64, 'ch_mult': [1, 1]},
    {'num_res_blocks': 2},
    {'z_channels': 64, 'embed_dim': 32, 'codebook_size': 16},
    {'n_layers': 3, 'dim_embd': 32, 'dim_mlp': 64},
    {'fusion': 'linear'},
    {'fusion': 'mhca_ffn'},
    {'encoders': 'hq'},
    {'encoders': 'lq'},
    {'position_embedding': 'sine'},
    {'lq_control': True},
]


@pytest.mark.parametrize('options', VARIANTS, ids=str)
def test_the_state_dict_tells_the_network(loader, options):
    torch.manual_seed(0)
    network = DAEFR(**TINY_DAEFR | options).eval()
    descriptor = loader.load_from_state_dict(network.state_dict())
    assert descriptor.architecture.id == 'DAEFR'
    for key, value in network.state_dict().items():
        torch.testing.assert_close(descriptor.model.state_dict()[key], value, rtol=0, atol=0)
    face = image('tiny.lq', 1, 32)
    restored = descriptor((face + 1) / 2)
    with torch.no_grad():
        torch.testing.assert_close(restored, (network(face)[0].clamp(-1, 1) + 1) / 2, rtol=0, atol=1e-6)


def test_what_a_program_reads_of_it(loader):
    descriptor = loader.load_from_state_dict(DAEFR(**TINY_DAEFR).state_dict())
    assert isinstance(descriptor, ImageModelDescriptor)
    assert (descriptor.purpose, descriptor.scale) == ('FaceSR', 1)
    assert (descriptor.input_channels, descriptor.output_channels) == (3, 3)
    assert (descriptor.supports_half, descriptor.supports_bfloat16) == (False, True)
    assert descriptor.size_requirements.check(32, 32)
    assert not descriptor.size_requirements.check(32, 40)
    assert descriptor.tags == ['32px']
    assert descriptor(torch.rand(1, 3, 20, 28)).shape == (1, 3, 20, 28)
    assert descriptor.bfloat16()(torch.rand(1, 3, 32, 32).bfloat16()).dtype == torch.bfloat16


def test_the_official_checkpoint_gives_the_official_numbers(loader, tmp_path):
    torch.save({'state_dict': official_state_dict('daefr_tiny')}, tmp_path / 'DAEFR_model.ckpt')
    descriptor = loader.load_from_file(tmp_path / 'DAEFR_model.ckpt')
    assert descriptor.architecture.id == 'DAEFR'
    with torch.no_grad():
        restored, logits, _ = descriptor.model(image('tiny.lq', 2, 32), return_rgb=False, weight=0.5)
    assert relative_error(restored, golden()['restored']) < 1e-4
    assert np.array_equal(logits.argmax(2), golden()['code_index'])


def test_the_default_model_restores_as_here(loader):
    descriptor = loader.load_from_file(checkpoints.find(checkpoints.DEFAULT_MODEL))
    face = np.ascontiguousarray(astronaut()[:256, 96:352])
    network = checkpoints.load_network()
    (expected,) = FaceNetwork(network, device='cpu', precision='fp32').restore([face])
    rgb = torch.from_numpy(face[..., ::-1].copy()).permute(2, 0, 1)[None].float() / 255
    restored = (descriptor(rgb)[0].permute(1, 2, 0).numpy()[..., ::-1] * 255).round().astype(int)
    assert expected.std() > 30
    assert (np.abs(restored - expected) <= 1).mean() > 0.999  # of memory formats


@pytest.mark.parametrize('prefix', ['', 'module.'])
def test_a_file_of_a_training_is_read(loader, tmp_path, prefix):
    state_dict = {prefix + key: value for key, value in DAEFR(**TINY_DAEFR).state_dict().items()}
    torch.save({'params': state_dict, 'params_ema': state_dict}, tmp_path / 'net_g_latest.pth')
    save_file(state_dict, tmp_path / 'net.safetensors')
    for name in ('net_g_latest.pth', 'net.safetensors'):
        assert loader.load_from_file(tmp_path / name).architecture.id == 'DAEFR'


def test_no_other_architecture_takes_it_and_it_takes_no_others(loader):
    ours, official = DAEFR(**TINY_DAEFR).state_dict(), official_state_dict('daefr')
    for support in loader.registry:
        if support.architecture.id != spandrel.ID:
            assert not support.detect(ours), support.architecture.id
            assert not support.detect(official), support.architecture.id
    autoencoder = DAEFRCodebook(**TINY).state_dict()
    detect = _support().detect
    assert not detect(autoencoder)
    assert not detect(official_state_dict('association_tiny'))
    others = (support.architecture._detect for support in loader.registry if support.architecture.id != spandrel.ID)
    conditions = [condition for condition in others if isinstance(condition, KeyCondition)]
    assert len(conditions) > 20
    assert not any(detect(dict.fromkeys(_keys(condition))) for condition in conditions)


def _keys(condition: KeyCondition) -> list[str]:
    """Every key that the condition names."""
    return [key for of in condition._keys for key in (_keys(of) if isinstance(of, KeyCondition) else [of])]


def test_it_can_be_trained_further(loader):
    descriptor = loader.load_from_state_dict(DAEFR(**TINY_DAEFR).state_dict()).train()
    descriptor.model(image('tiny.lq', 1, 32))[1].sum().backward()
    assert descriptor.model.code_head[1].weight.grad.abs().sum() > 0


def test_what_is_missing_is_named(loader):
    state_dict = DAEFR(**TINY_DAEFR).state_dict()
    del state_dict['hq_encoder.conv_in.weight'], state_dict['decoder.conv_in.bias']
    with pytest.raises(WeightsError, match=r'missing: .*hq_encoder\.conv_in\.weight'):
        loader.load_from_state_dict(state_dict)
