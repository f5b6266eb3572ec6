import itertools
from collections import Counter

import pytest
import torch
from basicsr.archs import build_network

from daefr_arch.archs.fusion import build_fusion
from daefr_arch.archs.layers import AttentionBlock
from tests.golden_parameters import TABLE_5, TINY, TINY_DAEFR, image

MODES = [
    {'fusion': fusion, 'position_embedding': position}
    for fusion, position in itertools.product(('mhca', 'mhca_ffn', 'paper', 'linear'), ('learned', 'sine'))
]
MODES += [TABLE_5, {'encoders': 'hq'}, {'encoders': 'lq'}, {'lq_control': True}]


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
    [
        {'fusion': 'mean'},
        {'resampling': 'bicubic'},
        {'quant_convs': False, 'embed_dim': 64},
        {'encoders': 'both'},
        {'position_embedding': 'none'},
        {'encoders': 'hq', 'lq_control': True},
    ],
    ids=str,
)
def test_unknown_modes(options):
    with pytest.raises(ValueError, match='expected'):
        build_network({'type': 'DAEFR', **TINY_DAEFR, **options})


def test_table_5_has_convolutions_in_residual_blocks_and_where_channels_or_sizes_change_only():
    network = build_network({'type': 'DAEFRCodebook', **TINY, **TABLE_5, 'num_res_blocks': 2, 'ch_mult': [1, 2, 2]})
    kinds = Counter(type(module).__name__ for module in network.modules())
    assert kinds['ResidualBlock'] == 3 * 2 + 3 * 3
    assert kinds['BilinearDownsample'] == kinds['BilinearUpsample'] == 2
    assert not kinds.keys() & {'AttentionBlock', 'Downsample', 'Upsample'}
    shortcuts = 2  # from 32 to 64 channels, and back
    assert kinds['Conv2d'] == 2 * (2 * 3 + 3 * 3) + shortcuts + 2 + 2 + 4  # of blocks, resampling, first and last ones


def test_fusion_paper_is_equations_9_and_10():
    torch.manual_seed(0)
    fusion = build_fusion('paper', 32, 1)
    hq, lq = torch.randn(2, 32, 3, 3), torch.randn(2, 32, 3, 3)
    attention = fusion.mhca.attention
    hq_tokens, lq_tokens = (feature.flatten(2).transpose(1, 2) for feature in (hq, lq))
    query, key, value = attention.q(lq_tokens), attention.k(hq_tokens), attention.v(hq_tokens)
    attended = attention.proj_out((query @ key.transpose(1, 2) / 32**0.5).softmax(2) @ value)
    normed = fusion.norm(attended).transpose(1, 2).reshape(2, 32, 3, 3)
    torch.testing.assert_close(fusion(hq, lq), fusion.conv2(torch.nn.functional.gelu(fusion.conv1(normed))))
    assert {type(module) for module in fusion.modules()}.isdisjoint({torch.nn.GroupNorm, AttentionBlock})
