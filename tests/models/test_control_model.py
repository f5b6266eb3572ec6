"""The stage of options/lite/control.yml, at tiny size: what it starts from, and that a step trains the module alone."""

import pytest
import torch
from basicsr.archs import build_network
from basicsr.models import build_model

from daefr_arch.checkpoints import read_checkpoint, save_network
from daefr_arch.errors import InputError, WeightsError
from tests.models.stages import batches, read_options, tiny_options, write_faces


@pytest.fixture
def options(tmp_path):
    """Networks and faces of options/tiny, all else of options/lite; it starts from a DAEFR whose module is trained."""
    write_faces(tmp_path / 'faces')
    tiny, lite = tiny_options('control', tmp_path), read_options('lite/control')
    sizes = {key: tiny['datasets']['train'][key] for key in ('dataroot_gt', 'gt_size', 'phase')}
    tiny['datasets']['train'] = lite['datasets']['train'] | sizes
    tiny['train'] = lite['train']
    network = build_network(tiny['network_g'])
    for head in (network.lq_control.scale, network.lq_control.shift):
        torch.nn.init.normal_(head[2].weight, std=0.01)
    save_network(tmp_path / 'daefr.safetensors', network.state_dict(), tiny['network_g'])
    tiny['path'] |= {'pretrain_network_g': str(tmp_path / 'daefr.safetensors'), 'pretrain_network_lq': None}
    return tiny


def test_a_step_trains_the_module_alone(options):
    model = build_model(options)
    before = {key: value.clone() for key, value in model.net_g.state_dict().items()}
    for iteration, batch in enumerate(batches(options, 2), start=1):  # the heads' second layers start at zero
        model.update_learning_rate(iteration, options['train']['warmup_iter'])
        model.feed_data(batch)
        model.optimize_parameters(iteration)
    changed = {key for key, value in model.net_g.state_dict().items() if not torch.equal(value, before[key])}
    assert changed == {key for key in before if key.startswith('lq_control.')}
    assert {'l_pix', 'l_percep'} <= model.get_current_log().keys()


def test_the_module_begins_anew_on_the_networks_of_the_checkpoint(options):
    trained = read_checkpoint(options['path']['pretrain_network_g']).state_dict
    assert trained['lq_control.scale.2.weight'].abs().sum() > 0
    net = build_model(options).net_g
    assert net.lq_control.scale[2].weight.abs().sum() == 0
    for key, value in net.state_dict().items():
        if not key.startswith('lq_control.'):
            assert torch.equal(value, trained[key]), key


def test_another_file_gives_the_codebook(options, tmp_path):
    sizes = {key: options['network_g'][key] for key in ('resolution', 'ch', 'ch_mult', 'num_res_blocks')}
    sizes |= {key: options['network_g'][key] for key in ('z_channels', 'embed_dim', 'codebook_size')}
    autoencoder = build_network({'type': 'DAEFRCodebook', **sizes})
    torch.save({'params': autoencoder.state_dict()}, tmp_path / 'net_lq.pth')
    options['path']['pretrain_network_lq'] = str(tmp_path / 'net_lq.pth')
    codebook = build_model(options).net_g.lq_codebook
    assert torch.equal(codebook.embedding.weight, autoencoder.codebook.embedding.weight)


def test_what_is_missing_is_named(options, tmp_path):
    plain = build_network({**options['network_g'], 'lq_control': False})
    torch.save({'params': plain.state_dict()}, tmp_path / 'plain.pth')
    options['path']['pretrain_network_g'] = str(tmp_path / 'plain.pth')
    with pytest.raises(WeightsError, match=r'plain\.pth holds no LQ codebook'):
        build_model(options)
    options['path']['pretrain_network_g'] = None
    with pytest.raises(InputError, match=r'path\.pretrain_network_g is missing'):
        build_model(options)
