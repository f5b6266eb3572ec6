import pickle

import pytest
import torch
from basicsr.archs import build_network

from daefr_arch import checkpoints
from daefr_arch.checkpoints import infer_options, load_lq_codebook, load_stage_network
from daefr_arch.commands.cli import main
from daefr_arch.commands.exit_codes import FAILED, OK
from daefr_arch.errors import WeightsError
from tests.golden_parameters import TABLE_5, TINY, TINY_DAEFR, image, official_state_dict


@pytest.mark.parametrize(
    ('name', 'parts'),
    [
        ('codebook_tiny', {'codebook'}),
        ('association_tiny', {'hq_codebook', 'lq_codebook'}),
        ('daefr_tiny', {'daefr', 'hq_codebook'}),
        ('discriminator', {'discriminator'}),
    ],
)
def test_official_files_of_all_kinds(name, parts, tmp_path):
    path = tmp_path / 'official.ckpt'
    torch.save({'state_dict': official_state_dict(name), 'epoch': 3}, path)
    converted = checkpoints.convert_official(checkpoints.read_checkpoint(path).state_dict)
    assert set(converted) == parts


@pytest.mark.parametrize('prefix', ['loss', 'loss_LQ'])
def test_discriminators_beside_an_association_network(prefix):
    state_dict = official_state_dict('association_tiny')
    discriminator = official_state_dict('discriminator')
    state_dict |= {key.replace('loss', prefix, 1): value for key, value in discriminator.items()}
    state_dict[f'{prefix}.perceptual_loss.scaling_layer.shift'] = torch.zeros(1)
    part = checkpoints.convert_official(state_dict)['lq_discriminator' if prefix == 'loss_LQ' else 'hq_discriminator']
    assert set(part) == {key.removeprefix('loss.discriminator.') for key in discriminator}


@pytest.mark.parametrize(
    'key', ['vqvae.HQ_encoder.conv_in.weight', 'vqvae.encoder.conv_in.weight', 'position_emb', 'cross_attention.q.bias']
)
def test_wrong_keys_are_named(key):
    state_dict = official_state_dict('daefr_tiny')
    with pytest.raises(WeightsError, match=r'vqvae\.surprise'):
        checkpoints.convert_official(state_dict | {'vqvae.surprise': torch.zeros(1)})
    with pytest.raises(WeightsError, match=key.split('.')[0]):
        checkpoints.convert_official({name: value for name, value in state_dict.items() if name != key})
    wide = torch.zeros(7, *state_dict[key].shape[1:])
    with pytest.raises(WeightsError, match=key.split('.')[-1]):
        checkpoints.convert_official(state_dict | {key: wide})


def test_foreign_state_dict():
    with pytest.raises(WeightsError, match='not an official'):
        checkpoints.convert_official({'layer.weight': torch.zeros(1)})


@pytest.mark.parametrize(
    'mode',
    [
        {},
        {'fusion': 'mhca_ffn'},
        {'fusion': 'paper'},
        {'fusion': 'linear'},
        {'encoders': 'hq'},
        {'encoders': 'lq'},
        {'lq_control': True},
        TABLE_5,
        {'resampling': 'bilinear'},
        {'mid_blocks': False},
        {'quant_convs': False},
    ],
    ids=str,
)
def test_options_are_read_from_the_tensors(mode):
    options = {'type': 'DAEFR', **TINY_DAEFR, **mode}
    inferred = infer_options(build_network(options).state_dict())
    assert {key: inferred[key] for key in options} == options


@pytest.mark.parametrize('mode', [{}, TABLE_5], ids=['official', 'paper'])
def test_options_of_an_autoencoder(mode):
    options = {'type': 'DAEFRCodebook', **TINY, **mode}
    inferred = infer_options(build_network(options).state_dict(), resolution=32)
    assert {key: inferred[key] for key in options} == options


@pytest.mark.parametrize('key', ['params', 'params_ema', None])
def test_basicsr_files(key, tmp_path):
    network = build_network({'type': 'DAEFR', **TINY_DAEFR}).eval()
    content = {key: network.state_dict()} if key else network.state_dict()
    if key == 'params_ema':
        content['params'] = {name: value * 0 for name, value in network.state_dict().items()}
    torch.save(content, tmp_path / 'net_g.pth')
    loaded = checkpoints.load_network(tmp_path / 'net_g.pth')
    x = image('file', 1, 32)
    with torch.no_grad():
        assert torch.equal(loaded(x)[0], network(x)[0])


PAPER = {**TABLE_5, 'fusion': 'paper', 'position_embedding': 'sine'}


@pytest.mark.parametrize('mode', [{'position_embedding': 'sine'}, PAPER], ids=['sine', 'paper'])
def test_safetensors_need_nothing_else(tmp_path, mode):
    options = {'type': 'DAEFR', **TINY_DAEFR, 'n_head': 4, **mode}
    network = build_network(options).eval()
    checkpoints.save_network(tmp_path / 'net.safetensors', network.state_dict(), options)
    loaded = checkpoints.load_network(tmp_path / 'net.safetensors')
    assert loaded.transformer[0].attention.heads == 4
    x = image('file', 1, 32)
    with torch.no_grad():
        assert torch.equal(loaded(x)[0], network(x)[0])
    assert [path.name for path in tmp_path.iterdir()] == ['net.safetensors']


class _Callback:
    """Stands for a trainer's object; unpickling it would call `mark`."""

    def __reduce__(self):
        return (_mark, ('ran',))


_marks: list[str] = []


def _mark(text):
    _marks.append(text)


def test_a_pickle_that_asks_for_more_is_refused_and_nothing_of_it_runs(tmp_path):
    path = tmp_path / 'model.ckpt'
    torch.save({'state_dict': official_state_dict('daefr_tiny'), 'callbacks': _Callback()}, path)
    with pytest.raises(WeightsError, match='--ignore-objects'):
        checkpoints.read_checkpoint(path)
    assert set(checkpoints.read_ignoring_objects(path).state_dict) == set(official_state_dict('daefr_tiny'))
    assert _marks == []
    with pytest.raises(WeightsError, match='--ignore-objects'):  # allowed there only
        checkpoints.read_checkpoint(path)


@pytest.mark.parametrize('name', ['net.pth', 'net.safetensors'])
@pytest.mark.parametrize('content', [b'', b'no weights', pickle.dumps([1, 2])[:-1]])
def test_damaged_files(name, content, tmp_path):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(WeightsError, match=name):
        checkpoints.read_checkpoint(tmp_path / name)


def test_files_of_another_kind(tmp_path):
    torch.save({'params': {'conv.weight': torch.zeros(1)}}, tmp_path / 'other.pth')
    with pytest.raises(WeightsError):
        checkpoints.load_network(tmp_path / 'other.pth')
    torch.save([1, 2], tmp_path / 'list.pth')
    with pytest.raises(WeightsError, match='expected a state dict'):
        checkpoints.read_checkpoint(tmp_path / 'list.pth')
    with pytest.raises(WeightsError, match='no weight file'):
        checkpoints.load_network(tmp_path / 'missing.pth')


def test_the_default_model_is_part_of_the_project():
    network = checkpoints.load_network(offline=True)
    assert network.resolution == 256
    assert {parameter.dtype for parameter in network.parameters()} == {torch.float32}


def test_convert_command(tmp_path, caplog):
    torch.save({'state_dict': official_state_dict('daefr_tiny')}, tmp_path / 'official.ckpt')
    output = tmp_path / 'net.safetensors'
    assert main(['convert', str(tmp_path / 'official.ckpt'), str(output), '--half']) == OK
    assert checkpoints.load_network(tmp_path / 'net_daefr.safetensors').resolution == 32
    assert checkpoints.read_checkpoint(tmp_path / 'net_hq_codebook.safetensors').options['type'] == 'DAEFRCodebook'
    arguments = ['convert', str(tmp_path / 'official.ckpt'), str(output), '--part', 'codebook']
    assert main(arguments) == FAILED
    assert 'codebook' in caplog.text


@pytest.mark.parametrize(
    ('name', 'part', 'held'),
    [
        ('codebook_tiny', 'hq_codebook', 'codebook'),
        ('codebook_tiny', 'lq_codebook', 'codebook'),
        ('codebook_tiny', 'codebook', 'codebook'),
        ('association_tiny', 'lq_codebook', 'lq_codebook'),
        ('daefr_tiny', 'hq_codebook', 'hq_codebook'),
        ('discriminator', 'lq_discriminator', 'discriminator'),
    ],
)
def test_a_part_is_selected_alike_for_loading_and_for_training(name, part, held, tmp_path):
    path = tmp_path / 'official.ckpt'
    torch.save({'state_dict': official_state_dict(name)}, path)
    expected = checkpoints.convert_official(official_state_dict(name))[held]
    started = build_network(infer_options(expected) if 'codebook' in held else {'type': 'DAEFRPatchDiscriminator'})
    load_stage_network(started, path, part)
    for state_dict in (checkpoints.load_part(path, part).state_dict, started.state_dict()):
        assert state_dict.keys() == expected.keys()
        counters = {key for key in expected if key.endswith('num_batches_tracked')}  # drawn as floats, whole numbers
        assert all(torch.equal(state_dict[key], expected[key]) for key in expected.keys() - counters)


@pytest.mark.parametrize(('name', 'part'), [('association_tiny', 'codebook'), ('daefr_tiny', 'lq_codebook')])
def test_a_part_that_the_file_lacks(name, part, tmp_path):
    path = tmp_path / 'official.ckpt'
    torch.save({'state_dict': official_state_dict(name)}, path)
    with pytest.raises(WeightsError, match=rf"official\.ckpt: expected .* '{part}', this one holds .*hq_codebook"):
        checkpoints.load_network(path, part=part)


def test_training_names_the_file_and_every_kind_of_difference(tmp_path):
    options = {'type': 'DAEFRCodebook', **TINY}
    state_dict = build_network(options).state_dict()
    state_dict['surprise'] = state_dict.pop('encoder.conv_in.bias')
    state_dict['quant_conv.bias'] = torch.zeros(3)
    torch.save({'params': state_dict}, tmp_path / 'net_g.pth')
    with pytest.raises(WeightsError) as error:
        load_stage_network(build_network(options), tmp_path / 'net_g.pth', 'hq_codebook')
    message = str(error.value)
    assert 'net_g.pth is not a checkpoint of DAEFRCodebook' in message
    assert 'missing: encoder.conv_in.bias' in message
    assert 'unexpected: surprise' in message
    assert 'misshapen: quant_conv.bias (expected (256,), got (3,))' in message


def _lq_codebook_of(path):
    codebook = build_network({'type': 'DAEFR', **TINY_DAEFR, 'lq_control': True}).lq_codebook
    load_lq_codebook(codebook, path)
    return codebook.embedding.weight


@pytest.mark.parametrize(
    ('name', 'key'),
    [
        ('daefr_tiny', 'vqvae.LQ_quantize'),
        ('association_tiny', 'vqvae_LQ.quantize'),
        ('codebook_tiny', 'vqvae.quantize'),
    ],
)
def test_the_lq_codebook_of_official_files(name, key, tmp_path):
    state_dict = official_state_dict(name)
    torch.save({'state_dict': state_dict}, tmp_path / 'official.ckpt')
    assert torch.equal(_lq_codebook_of(tmp_path / 'official.ckpt'), state_dict[f'{key}.embedding.weight'])


def test_the_lq_codebook_of_our_files(tmp_path):
    control = build_network({'type': 'DAEFR', **TINY_DAEFR, 'lq_control': True})
    autoencoder = build_network({'type': 'DAEFRCodebook', **TINY})
    for network, codebook in ((control, control.lq_codebook), (autoencoder, autoencoder.codebook)):
        torch.save({'params': network.state_dict()}, tmp_path / 'net.pth')
        assert torch.equal(_lq_codebook_of(tmp_path / 'net.pth'), codebook.embedding.weight)


def test_a_hq_codebook_is_not_taken_for_the_lq_codebook(tmp_path):
    torch.save({'params': build_network({'type': 'DAEFR', **TINY_DAEFR}).state_dict()}, tmp_path / 'net.pth')
    with pytest.raises(WeightsError, match='holds no LQ codebook'):
        _lq_codebook_of(tmp_path / 'net.pth')
    small = build_network({'type': 'DAEFRCodebook', **TINY, 'codebook_size': 7})
    torch.save({'params': small.state_dict()}, tmp_path / 'small.pth')
    with pytest.raises(WeightsError, match=r'does not fit.*\(7, 256\)'):
        _lq_codebook_of(tmp_path / 'small.pth')
