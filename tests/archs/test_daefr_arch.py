import itertools

import pytest
import torch
from basicsr.archs import build_network

from tests.golden_parameters import TINY, TINY_DAEFR, image

MODES = [
    {'fusion': fusion, 'position_embedding': position}
    for fusion, position in itertools.product(('mhca', 'mhca_ffn', 'linear'), ('learned', 'sine'))
]
MODES += [{'encoders': 'hq'}, {'encoders': 'lq'}, {'lq_control': True}]


@pytest.mark.parametrize('mode', MODES, ids=str)
def test_gradients_reach_every_trained_parameter(mode):
    torch.manual_seed(0)
    network = build_network({'type': 'DAEFR', **TINY_DAEFR, **mode})
    restored, logits, fused = network(image('mode', 2, 32), s_lq=0.5 if mode.get('lq_control') else None)
    assert restored.shape == (2, 3, 32, 32)
    assert logits.shape == (2, 256, 1024)
    assert fused.shape == (2, 256, 16, 16)
    (logits.square().mean() + fused.square().mean() + restored.square().mean()).backward()
    without = [name for name, parameter in network.named_parameters() if parameter.grad is None]
    assert without == []


def test_code_only_leaves_the_decoder_out():
    network = build_network({'type': 'DAEFR', **TINY_DAEFR}).eval()
    network.decoder.register_forward_hook(lambda *_: pytest.fail('the decoder ran'))
    with torch.no_grad():
        restored, logits, _ = network(image('mode', 1, 32), code_only=True)
    assert restored is None
    assert logits.shape == (1, 256, 1024)


def test_control_scaled_by_zero_is_the_plain_network_bit_for_bit():
    torch.manual_seed(0)
    network = build_network({'type': 'DAEFR', **TINY_DAEFR, 'lq_control': True}).eval()
    for parameter in network.lq_control.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    plain = build_network({'type': 'DAEFR', **TINY_DAEFR}).eval()
    plain.load_state_dict({key: value for key, value in network.state_dict().items() if not key.startswith('lq_co')})
    x = image('mode', 1, 32)
    with torch.no_grad():
        expected = plain(x)[0]
        assert torch.equal(network(x, s_lq=0)[0], expected)
        assert torch.equal(network(x)[0], expected)
        assert not torch.equal(network(x, s_lq=1.0)[0], expected)


@pytest.mark.parametrize('kind', ['DAEFR', 'DAEFRCodebook'])
@pytest.mark.parametrize(
    ('x', 'error', 'message'),
    [
        (torch.zeros(1, 3, 33, 32), ValueError, r'\(B, 3, 32, 32\).*33'),
        (torch.zeros(1, 1, 32, 32), ValueError, r'\(B, 3, 32, 32\)'),
        (torch.zeros(3, 32, 32), ValueError, r'\(B, 3, 32, 32\)'),
        (torch.zeros(1, 3, 32, 32, dtype=torch.uint8), TypeError, 'uint8'),
        (torch.zeros(1, 3, 32, 32, dtype=torch.float64), TypeError, 'float64'),
    ],
)
def test_wrong_input(kind, x, error, message):
    network = build_network({'type': kind, **(TINY_DAEFR if kind == 'DAEFR' else TINY)})
    with pytest.raises(error, match=message):
        network(x)


@pytest.mark.parametrize(
    'options',
    [{'fusion': 'mean'}, {'encoders': 'both'}, {'position_embedding': 'none'}, {'encoders': 'hq', 'lq_control': True}],
    ids=str,
)
def test_unknown_modes(options):
    with pytest.raises(ValueError, match='expected'):
        build_network({'type': 'DAEFR', **TINY_DAEFR, **options})
