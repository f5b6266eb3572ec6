"""The networks against the numbers that the official modules compute from the same parameters and images."""

import numpy as np
import pytest
import torch
from basicsr.archs import build_network

from daefr_arch.checkpoints import convert_official, infer_options
from tests.golden_parameters import TINY_DAEFR, golden, image, official_state_dict, relative_error


@pytest.fixture(scope='module')
def reference():
    return golden()


@pytest.fixture(scope='module')
def network():
    parts = convert_official(official_state_dict('daefr_tiny'))
    network = build_network({'type': 'DAEFR', **TINY_DAEFR})
    network.load_state_dict(parts['daefr'])
    return network.eval()


def test_restoration(network, reference):
    with torch.no_grad():
        restored, logits, fused = network(image('tiny.lq', 2, 32))
        hq_feature, lq_feature = network.encode(image('tiny.lq', 2, 32))
    results = {
        'restored': restored,
        'logits': logits,
        'fused_feature': fused,
        'hq_feature': hq_feature,
        'lq_feature': lq_feature,
    }
    for name, result in results.items():
        assert relative_error(result, reference[name]) < 1e-4, name
    assert np.array_equal(logits.argmax(2), reference['code_index'])


def test_targets_of_stage_3(reference):
    parts = convert_official(official_state_dict('daefr_tiny'))
    autoencoder = build_network(infer_options(parts['hq_codebook']))
    autoencoder.load_state_dict(parts['hq_codebook'])
    with torch.no_grad():
        quantized = autoencoder.codebook(autoencoder.encode(image('tiny.gt', 2, 32)))
    assert relative_error(quantized.codes, reference['gt_quantized']) < 1e-4
    assert np.array_equal(quantized.indices, reference['gt_code_index'])


def test_discriminator(reference):
    discriminator = build_network({'type': 'DAEFRPatchDiscriminator'})
    discriminator.load_state_dict(convert_official(official_state_dict('discriminator'))['discriminator'])
    assert relative_error(discriminator(image('disc', 2, 64)), reference['discriminator_logits']) < 1e-4


def test_defaults_are_the_papers_sizes():
    parts = convert_official(official_state_dict('daefr'))
    with torch.device('meta'):
        network = build_network({'type': 'DAEFR'})
        autoencoder = build_network({'type': 'DAEFRCodebook'})
    assert {key: value.shape for key, value in network.state_dict().items()} == {
        key: value.shape for key, value in parts['daefr'].items()
    }
    assert set(autoencoder.state_dict()) == set(parts['hq_codebook'])
