"""The tiny stages one after another, from their option files, as a user runs them."""

import math

import pytest
import torch
from basicsr.models import build_model
from torch.nn import functional as F

from daefr_arch.analysis.codebook_files import load_autoencoder, load_encoder_pair
from daefr_arch.analysis.similarity import SimilarityRecord
from daefr_arch.checkpoints import read_checkpoint, weights_hash
from daefr_arch.commands.cli import main
from daefr_arch.commands.exit_codes import OK
from daefr_arch.errors import InputError, WeightsError
from daefr_arch.version import __version__
from tests.models.parameter_hash import parameter_hash
from tests.models.stages import STAGES, batches, tiny_options, train, validation_batch, write_faces


@pytest.fixture(scope='module')
def work(tmp_path_factory):
    folder = tmp_path_factory.mktemp('stages')
    write_faces(folder / 'faces')
    return folder


@pytest.fixture(scope='module')
def runs(work):
    """Stage -> (model, log of every step), each trained from the checkpoints of those before it."""
    torch.manual_seed(0)
    return {stage: train(tiny_options(stage, work)) for stage in STAGES}


def _mean(logs, name):
    return sum(log[name] for log in logs) / len(logs)


def _psnr(a, b):
    return 10 * math.log10(4 / F.mse_loss(a, b).item())


@pytest.mark.parametrize(
    ('stage', 'name', 'factor'),
    [
        ('stage1_hq', 'l_pix', 0.4),
        ('stage1_lq', 'l_pix', 0.6),
        ('stage2_association', 'l_assoc', 0.6),
        ('stage3_restoration', 'l_index', 0.5),
        ('stage3_restoration', 'l_feat', 0.5),
    ],
)
def test_each_stage_learns(runs, stage, name, factor):
    _, logs = runs[stage]
    assert _mean(logs[-10:], name) < factor * logs[0][name]


def test_three_stages_restore_better_than_the_input(runs, work):
    model, _ = runs['stage3_restoration']
    model.feed_data(validation_batch(tiny_options('stage3_restoration', work)))
    with model.evaluating():
        restored = model.restore()
    assert _psnr(restored, model.gt) > _psnr(model.lq, model.gt) + 5


def test_codebook_is_used(runs):
    _, logs = runs['stage1_hq']
    assert logs[-1]['codebook_use'] > 0.5
    assert logs[-1]['perplexity'] > 50


def test_stage2_runs_each_path_once_and_trains_all_four_networks(runs, work):
    options = tiny_options('stage2_association', work)
    model = build_model(options)
    calls = []
    nets = {label: model.nets[label] for label in ('hq', 'lq', 'd_hq', 'd_lq')}
    for label in ('hq', 'lq'):
        nets[label].encoder.register_forward_hook(lambda *_, label=label: calls.append(label))
        nets[label].decoder.mid.register_forward_hook(lambda *_, label=label: calls.append(f'{label} decoder'))
    before = {label: parameter_hash([net]) for label, net in nets.items()}
    model.feed_data(next(batches(options, 1)))
    model.optimize_parameters(1)
    assert sorted(calls) == ['hq', 'hq decoder', 'lq', 'lq decoder']
    assert all(parameter_hash([net]) != before[label] for label, net in nets.items())


def test_fig_7a_trains_the_lq_path_only(runs, work):
    options = tiny_options('stage2_association', work)
    options['train']['freeze_hq'] = True
    model = build_model(options)
    before = {label: parameter_hash([model.nets[label]]) for label in ('hq', 'lq')}
    for iteration, batch in enumerate(batches(options, 2), start=1):
        model.feed_data(batch)
        model.optimize_parameters(iteration)
    assert parameter_hash([model.nets['hq']]) == before['hq']
    assert parameter_hash([model.nets['lq']]) != before['lq']
    assert 'd_hq' not in model.nets


def test_stage2_makes_the_patches_find_their_own_place(runs, work):
    models = {stage: work / f'experiments/tiny_{stage}/models' for stage in STAGES}
    pairs = {
        'before': (models['stage1_hq'] / 'net_g_latest.pth', models['stage1_lq'] / 'net_g_latest.pth'),
        'after': (
            models['stage2_association'] / 'net_hq_latest.pth',
            models['stage2_association'] / 'net_lq_latest.pth',
        ),
    }
    batch = validation_batch(tiny_options('stage2_association', work))
    agreements = {}
    for name, files in pairs.items():
        record = SimilarityRecord()
        record.add(*load_encoder_pair(*files)(batch['gt'], batch['lq']))
        agreements[name] = record.summary().agreement
    before, after = agreements['before'], agreements['after']
    assert (after.hq_to_lq > before.hq_to_lq + 0.1).all()
    assert (after.lq_to_hq > before.lq_to_hq + 0.1).all()
    assert (after.diagonal - after.off_diagonal > before.diagonal - before.off_diagonal).all()


def test_temperature_is_trained_and_saved_where_asked(runs, work):
    options = tiny_options('stage2_association', work)
    options['train']['association_opt']['learn_temperature'] = True
    model = build_model(options)
    before = model.association.log_scale.item()
    model.feed_data(next(batches(options, 1)))
    model.optimize_parameters(1)
    assert model.association.log_scale.item() != before
    assert 'association' in model.nets


def _frozen_parts(net):
    return [net.codebook, net.post_quant_conv, net.decoder]


@pytest.mark.parametrize('train_encoders', [True, False])
def test_stage3_freezes_what_is_stage_1s_and_never_decodes(runs, work, train_encoders):
    options = tiny_options('stage3_restoration', work)
    options['train']['train_encoders'] = train_encoders
    model = build_model(options)
    net = model.net_g
    decoded = []
    net.decoder.register_forward_hook(lambda *_: decoded.append(1))
    model.codebook.decoder.register_forward_hook(lambda *_: decoded.append(1))
    learned = {'fusion': net.fusion, 'transformer': net.transformer, 'code_head': net.code_head}
    encoders = {'hq': net.hq_encoder, 'lq': net.lq_encoder}
    frozen = parameter_hash([*_frozen_parts(net), model.codebook])
    before = {name: parameter_hash([part]) for name, part in (learned | encoders).items()}
    for iteration, batch in enumerate(batches(options, 2), start=1):
        model.feed_data(batch)
        model.optimize_parameters(iteration)
    assert not decoded
    assert parameter_hash([*_frozen_parts(net), model.codebook]) == frozen
    assert not model.codebook.training
    assert all(parameter_hash([part]) != before[name] for name, part in learned.items())
    assert all((parameter_hash([part]) != before[name]) == train_encoders for name, part in encoders.items())


def test_stage3_starts_from_the_named_stages(work, runs):
    options = tiny_options('stage3_restoration', work)
    net = build_model(options).net_g
    hq, lq, codebook = (
        torch.load(options['path'][f'pretrain_network_{label}'], weights_only=True)['params']
        for label in ('hq', 'lq', 'codebook')
    )
    assert torch.equal(net.hq_encoder.conv_in.weight, hq['encoder.conv_in.weight'])
    assert torch.equal(net.lq_quant_conv.weight, lq['quant_conv.weight'])
    assert torch.equal(net.codebook.embedding.weight, codebook['codebook.embedding.weight'])
    assert torch.equal(net.decoder.conv_out.weight, codebook['decoder.conv_out.weight'])


def test_image_losses_reach_the_transformer_through_the_frozen_decoder(runs, work):
    options = tiny_options('stage3_restoration', work)
    options['train']['pixel_opt'] = {'type': 'L1Loss'}
    options['train']['prediction_opt'] |= {'feature_weight': 0.0, 'index_weight': 0.0}
    model = build_model(options)
    before, frozen = parameter_hash([model.net_g.transformer]), parameter_hash(_frozen_parts(model.net_g))
    model.feed_data(next(batches(options, 1)))
    model.optimize_parameters(1)
    assert model.get_current_log()['l_pix'] > 0
    assert parameter_hash([model.net_g.transformer]) != before
    assert parameter_hash(_frozen_parts(model.net_g)) == frozen


@pytest.mark.parametrize('encoders', ['hq', 'lq'])
def test_stage3_with_one_encoder_needs_one_checkpoint(runs, work, encoders):
    options = tiny_options('stage3_restoration', work)
    options['network_g']['encoders'] = encoders
    options['path'][f'pretrain_network_{"lq" if encoders == "hq" else "hq"}'] = None
    model = build_model(options)
    model.feed_data(next(batches(options, 1)))
    model.optimize_parameters(1)
    assert model.get_current_log()['l_index'] > 0


def test_control_trains_its_module_only_and_keeps_the_plain_network(runs, work):
    model, _ = runs['control']
    plain, _ = runs['stage3_restoration']
    trained = model.net_g.state_dict()
    for name, value in plain.net_g.state_dict().items():
        assert torch.equal(trained[name], value), name
    assert trained['lq_control.scale.2.weight'].abs().sum() > 0
    batch = validation_batch(tiny_options('control', work))
    with torch.no_grad():
        off, on = (model.net_g(batch['lq'], s_lq=s_lq)[0] for s_lq in (0.0, 1.0))
        assert torch.equal(off, plain.net_g(batch['lq'])[0])
    assert _psnr(on, batch['gt']) > _psnr(off, batch['gt'])


def test_a_checkpoint_of_another_stage_is_refused(runs, work):
    options = tiny_options('stage3_restoration', work)
    options['path']['pretrain_network_hq'] = options['path']['pretrain_network_codebook'].replace('net_g_', 'net_d_')
    with pytest.raises(WeightsError, match=r'net_d_latest.pth is not a checkpoint of DAEFRCodebook'):
        build_model(options)


def test_a_missing_checkpoint_option_is_named(runs, work):
    options = tiny_options('stage3_restoration', work)
    options['path']['pretrain_network_codebook'] = None
    with pytest.raises(InputError, match=r'path\.pretrain_network_codebook is missing'):
        build_model(options)


def test_going_on_with_another_codebook_is_refused(runs, work):
    options = tiny_options('stage3_restoration', work)
    options['path']['pretrain_network_g'] = f'{options["path"]["models"]}/net_g_latest.pth'
    build_model(tiny_options('stage3_restoration', work) | {'path': options['path']})
    options = tiny_options('stage3_restoration', work) | {'path': options['path']}
    options['path']['pretrain_network_codebook'] = options['path']['pretrain_network_hq']
    with pytest.raises(WeightsError, match='different HQ codebooks'):
        build_model(options)


def test_checkpoints_say_what_they_are_and_what_they_began_with(runs, work):
    def read(stage, label='g'):
        return read_checkpoint(f'{tiny_options(stage, work)["path"]["models"]}/net_{label}_latest.pth')

    hq, lq, first = read('stage2_association', 'hq'), read('stage2_association', 'lq'), read('stage1_hq')
    assert [(c.provenance.stage, c.provenance.domain) for c in (first, hq, lq)] == [
        ('codebook', 'hq'),
        ('association', 'hq'),
        ('association', 'lq'),
    ]
    assert read('stage1_lq', 'd').provenance.domain == 'lq'
    assert hq.provenance.started_from['hq'] == weights_hash(first.state_dict)
    restoration, control = read('stage3_restoration'), read('control')
    assert restoration.provenance.started_from == {
        'codebook': weights_hash(first.state_dict),
        'hq': weights_hash(hq.state_dict),
        'lq': weights_hash(lq.state_dict),
    }
    assert restoration.provenance.iteration == tiny_options('stage3_restoration', work)['train']['total_iter']
    assert restoration.provenance.version == __version__
    assert restoration.options == dict(tiny_options('stage3_restoration', work)['network_g'])
    begun = control.provenance.started_from
    assert begun == {**restoration.provenance.started_from, 'g': weights_hash(restoration.state_dict)}
    assert first.provenance.perceptual_backbone == 'efficientnet_lite0'


def test_a_file_of_the_other_domain_is_refused_and_both_of_two_swapped_ones_are_named(runs, work):
    for stage in ('stage2_association', 'stage3_restoration'):
        options = tiny_options(stage, work)
        model, path = type(runs[stage][0]), options['path']
        model.check_starting_points(path)
        hq, lq = path['pretrain_network_hq'], path['pretrain_network_lq']
        path['pretrain_network_hq'], path['pretrain_network_lq'] = lq, hq
        with pytest.raises(WeightsError) as error:
            model.check_starting_points(path)
        for label, file, domain in (('hq', lq, 'LQ'), ('lq', hq, 'HQ')):
            assert f'path.pretrain_network_{label}: expected {label.upper()}, stage ' in str(error.value)
            assert f'{file} is of {domain}, stage ' in str(error.value)
        with pytest.raises(WeightsError, match='expected a network of the HQ domain'):
            build_model(options)  # whoever does not ask first
    path = tiny_options('stage3_restoration', work)['path']
    path['pretrain_network_codebook'] = path['pretrain_network_hq']
    with pytest.raises(WeightsError, match=r'expected HQ, stage codebook, .* is of HQ, stage association, iteration'):
        type(runs['stage3_restoration'][0]).check_starting_points(path)


def test_the_control_module_needs_the_lq_codebook_of_its_encoder(runs, work):
    model, path = type(runs['control'][0]), tiny_options('control', work)['path']
    associated = tiny_options('stage3_restoration', work)['path']['pretrain_network_lq']
    path['pretrain_network_lq'] = associated
    model.check_starting_points(path)
    path['pretrain_network_lq'] = f'{tiny_options("stage1_lq", work)["path"]["models"]}/net_g_latest.pth'
    with pytest.raises(WeightsError) as error:
        model.check_starting_points(path)
    assert path['pretrain_network_g'] in str(error.value)
    assert path['pretrain_network_lq'] in str(error.value)
    path['pretrain_network_lq'] = tiny_options('stage3_restoration', work)['path']['pretrain_network_hq']
    with pytest.raises(WeightsError, match=r'path\.pretrain_network_lq: expected LQ, stage '):
        model.check_starting_points(path)


def test_conversion_keeps_what_a_checkpoint_says(runs, work, tmp_path):
    stage3 = tiny_options('stage3_restoration', work)['path']
    source = f'{stage3["models"]}/net_g_latest.pth'
    for half in ([], ['--half']):
        assert main(['convert', source, str(tmp_path / 'net.safetensors'), *half]) == OK
        before, after = (read_checkpoint(file) for file in (source, tmp_path / 'net.safetensors'))
        assert after.provenance == before.provenance
        assert after.options == before.options
        assert weights_hash(after.state_dict) == weights_hash(before.state_dict)
    with pytest.raises(WeightsError, match='expected a network of the HQ domain'):
        load_autoencoder(stage3['pretrain_network_lq'], 'hq')
