import pytest
import torch
from basicsr.archs import build_network

from daefr_arch.analysis.codebook_files import load_autoencoder, load_encoder_pair
from daefr_arch.checkpoints import convert_official
from daefr_arch.errors import InputError, WeightsError
from tests.analysis.autoencoders import autoencoder
from tests.golden_parameters import TINY_DAEFR, image, official_state_dict


@pytest.fixture
def save(tmp_path):
    def save(name, content):
        torch.save(content, tmp_path / name)
        return tmp_path / name

    return save


def official(save, name):
    return save(f'{name}.ckpt', {'state_dict': official_state_dict(f'{name}_tiny')})


@torch.no_grad()
def encode(state_dict, x, prefix=''):
    """By hand, from a state dict in our layout."""
    net = build_network({'type': 'DAEFR' if prefix else 'DAEFRCodebook', **(TINY_DAEFR if prefix else TINY_CODEBOOK)})
    net.load_state_dict(state_dict)
    return net.get_submodule(f'{prefix}quant_conv')(net.get_submodule(f'{prefix}encoder')(x))


TINY_CODEBOOK = {key: TINY_DAEFR[key] for key in ('resolution', 'ch', 'ch_mult', 'num_res_blocks', 'attn_resolutions')}


def test_an_official_association_file_holds_both_encoders(save):
    path = official(save, 'association')
    parts = convert_official(official_state_dict('association_tiny'))
    clean, degraded = image('gt', 1, 32), image('lq', 1, 32)
    pair = load_encoder_pair(path)
    assert pair.resolution == 32
    with torch.no_grad():
        hq_feature, lq_feature = pair(clean, degraded)
    assert torch.equal(hq_feature, encode(parts['hq_codebook'], clean))
    assert torch.equal(lq_feature, encode(parts['lq_codebook'], degraded))


@pytest.mark.parametrize('ours', [False, True])
def test_a_daefr_holds_both_encoders(save, ours):
    state_dict = convert_official(official_state_dict('daefr_tiny'))['daefr']
    path = save('net_g.pth', {'params': state_dict}) if ours else official(save, 'daefr')
    clean, degraded = image('gt', 1, 32), image('lq', 1, 32)
    with torch.no_grad():
        hq_feature, lq_feature = load_encoder_pair(path)(clean, degraded)
    assert torch.equal(hq_feature, encode(state_dict, clean, 'hq_'))
    assert torch.equal(lq_feature, encode(state_dict, degraded, 'lq_'))


def test_two_autoencoders(save):
    nets = autoencoder(1), autoencoder(2)
    files = [save(f'{name}.pth', {'params': net.state_dict()}) for name, net in zip('ab', nets, strict=True)]
    x = image('gt', 1, 32)
    with torch.no_grad():
        for feature, net in zip(load_encoder_pair(*files)(x, x), nets, strict=True):
            assert torch.equal(feature, net.encode(x))
    assert torch.equal(load_autoencoder(files[0], 'lq').codebook.embedding.weight, nets[0].codebook.embedding.weight)


def test_files_without_the_encoders_are_named(save):
    alone = save('alone.pth', {'params': autoencoder(1).state_dict()})
    single = save('single.pth', build_network({'type': 'DAEFR', **TINY_DAEFR, 'encoders': 'lq'}).state_dict())
    for path in (alone, single):
        with pytest.raises(WeightsError, match=rf'{path.name} does not hold the encoders of both domains'):
            load_encoder_pair(path)
    with pytest.raises(WeightsError, match=r"codebook\.ckpt: expected .* the part 'daefr', this one holds"):
        load_encoder_pair(official(save, 'codebook'))
    with pytest.raises(WeightsError, match=r'single\.pth holds a DAEFR: expected an autoencoder'):
        load_autoencoder(single, 'hq')
    with pytest.raises(WeightsError, match=r"daefr\.ckpt: expected .* the part 'lq_codebook'"):
        load_autoencoder(official(save, 'daefr'), 'lq')
    with pytest.raises(InputError, match='do not fit each other'):
        load_encoder_pair(alone, save('other.pth', {'params': autoencoder(2, embed_dim=64).state_dict()}))
    with pytest.raises(WeightsError, match=r'no weight file at /.*daefr-lite'):  # a file, not the model of this name
        load_autoencoder('daefr-lite', 'hq')
