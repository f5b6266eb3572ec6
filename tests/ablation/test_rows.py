"""What makes each row: which checkpoints it starts from, what it trains, which features reach the transformer."""

from pathlib import Path

import pytest
import torch
from basicsr.models import build_model

from daefr_arch.ablation.training import read_training
from daefr_arch.archs.layers import to_tokens
from tests.ablation.tables import table_file
from tests.models.parameter_hash import parameter_hash
from tests.models.stages import batches

TABLE2 = [f'table2_{letter}' for letter in 'abcde']
STAGE1 = {'hq': 'tiny_stage1_hq/models/net_g', 'lq': 'tiny_stage1_lq/models/net_g'}
STAGE2 = {domain: f'tiny_stage2_association/models/net_{domain}' for domain in ('hq', 'lq')}
ENCODERS = {
    'table2_a': {'hq': STAGE1['hq']},
    'table2_b': {'lq': STAGE1['lq']},
    'table2_c': STAGE1,
    'table2_d': STAGE2,
    'table2_e': STAGE2,
}
FROZEN = ('codebook.', 'post_quant_conv.', 'decoder.')


def _weights(name):
    return torch.load(f'experiments/{name}_latest.pth', weights_only=True)['params']


def _model(row):
    """The row's model as it starts training, and a batch."""
    training = read_training(table_file('table2').with_name(f'{row}.yml'))
    options = dict(training.options) | {'is_train': True, 'dist': False, 'rank': 0, 'world_size': 1, 'num_gpu': 0}
    options['datasets']['train']['phase'] = 'train'
    model = build_model(options)
    model.feed_data(next(batches(options, 1)))
    return model


def _fused(net, x, change=None):
    """What reaches the transformer, with the encoders' features, of which `change` may replace one."""
    features = dict(zip(('hq', 'lq'), net.encode(x), strict=True))
    if change:
        features[change] = torch.randn_like(features[change])
    seen = []
    hook = net.feat_embedding.register_forward_hook(lambda module, inputs, output: seen.append(inputs[0]))
    net.predict_codes(features['hq'], features['lq'])
    hook.remove()
    return seen[0], features


@pytest.mark.parametrize('row', TABLE2)
def test_encoders_start_from_the_checkpoints_of_the_row(work, row):
    net = _model(row).net_g
    for domain in ('hq', 'lq'):
        encoder = net.get_submodule(f'{domain}_encoder') if domain in ENCODERS[row] else None
        if encoder is None:
            assert not [key for key in net.state_dict() if key.startswith(f'{domain}_')]
            continue
        expected = _weights(ENCODERS[row][domain])
        for part in ('encoder', 'quant_conv'):
            for key, value in net.get_submodule(f'{domain}_{part}').state_dict().items():
                assert torch.equal(value, expected[f'{part}.{key}']), (domain, part, key)
    assert not torch.equal(
        _weights(STAGE1['lq'])['encoder.conv_in.weight'], _weights(STAGE2['lq'])['encoder.conv_in.weight']
    )


def _changed(before, after):
    return {key for key in before if not torch.equal(before[key], after[key])}


def _parts(keys):
    return {key.split('.')[0] for key in keys}


@pytest.mark.parametrize('row', TABLE2)
def test_a_row_trains_all_but_the_codebook_and_the_decoder_of_stage_1(work, row):
    model = _model(row)
    before = {key: value.clone() for key, value in model.net_g.state_dict().items()}
    model.optimize_parameters(1)
    encoders = {f'{domain}_{part}' for domain in ENCODERS[row] for part in ('encoder', 'quant_conv')}
    fusion = set() if len(ENCODERS[row]) == 1 else {'fusion'}
    learned = {*encoders, *fusion, 'position_embedding', 'feat_embedding', 'transformer', 'code_head'}
    assert _parts(_changed(before, model.net_g.state_dict())) == learned
    assert _parts(before) == learned | {part.rstrip('.') for part in FROZEN}

    trained, stage1 = _weights(f'tiny_{row}/models/net_g'), _weights(STAGE1['hq'])  # by `daefr ablate`
    assert trained.keys() == before.keys()
    assert all(torch.equal(value, stage1[key]) for key, value in trained.items() if key.startswith(FROZEN))
    assert _parts(_changed(before, trained)) == learned


@pytest.mark.parametrize(('row', 'domain'), [('table2_a', 'hq'), ('table2_b', 'lq')])
@torch.no_grad()
def test_one_encoder_alone_reaches_the_transformer(work, row, domain):
    model = _model(row)
    seen, features = _fused(model.net_g, model.lq)
    assert torch.equal(seen, to_tokens(features[domain]))
    assert features['lq' if domain == 'hq' else 'hq'] is None
    assert model.net_g.fusion is None


@torch.no_grad()
def test_d_fuses_both_features_by_three_fully_connected_layers(work):
    model = _model('table2_d')
    net = model.net_g
    assert sum(isinstance(module, torch.nn.Linear) for module in net.fusion.modules()) == 3
    assert not any(isinstance(module, torch.nn.Conv2d) for module in net.fusion.modules())
    seen, features = _fused(net, model.lq)
    assert all((_fused(net, model.lq, change)[0] != seen).any() for change in ('hq', 'lq'))
    # a place sees its own features only
    shuffle = torch.randperm(features['hq'].shape[2] * features['hq'].shape[3])
    shuffled = net.fusion(*(_permuted(features[domain], shuffle) for domain in ('hq', 'lq')))
    torch.testing.assert_close(to_tokens(shuffled), seen[:, shuffle])


def _permuted(feature, order):
    return feature.flatten(2)[:, :, order].view_as(feature)


@pytest.mark.parametrize('row', ['table2_c', 'table2_e'])
@torch.no_grad()
def test_mhca_queries_from_lq_and_keeps_the_hq_feature(work, row):
    """Attention permutes with its queries and does not see the order of its keys; the residual is what it adds to."""
    model = _model(row)
    net = model.net_g
    torch.manual_seed(0)
    seen, features = _fused(net, model.lq)
    hq, lq = features['hq'], features['lq']
    attended = to_tokens(net.fusion(hq, lq)) - to_tokens(hq)
    torch.testing.assert_close(seen, to_tokens(hq) + attended)
    assert attended.abs().max() > 1e-3 * hq.abs().max()
    shuffle = torch.randperm(hq.shape[2] * hq.shape[3])
    tolerance = {'rtol': 1e-3, 'atol': 1e-4 * float(hq.abs().max())}
    with_queries = to_tokens(net.fusion(hq, _permuted(lq, shuffle))) - to_tokens(hq)
    torch.testing.assert_close(with_queries, attended[:, shuffle], **tolerance)
    with_keys = to_tokens(net.fusion(_permuted(hq, shuffle), lq)) - to_tokens(hq)[:, shuffle]
    torch.testing.assert_close(with_keys, attended, **tolerance)


def _expected_loss(form, hq, lq):
    """By hand, of features (B, d, h, w)."""
    if form == 'l1':
        return (hq - lq).abs().sum() / hq.numel()
    if form == 'l2':
        return ((hq - lq) ** 2).sum() / hq.numel()
    losses = []
    for one, other in ((hq, lq), (lq, hq)):
        for a, b in zip(one.flatten(2), other.flatten(2), strict=True):  # (d, N)
            cosine = (a / a.norm(dim=0)).t() @ (b / b.norm(dim=0))
            losses += [(row / 0.07).logsumexp(0) - row[place] / 0.07 for place, row in enumerate(cosine)]
    return torch.stack(losses).mean()


@pytest.mark.parametrize('form', ['l1', 'l2', 'cross_entropy'])
def test_the_association_losses_of_table_6(work, form):
    model = _model(f'table6_{form}')
    with torch.no_grad():
        expected = _expected_loss(form, model.net_hq.encode(model.gt), model.net_lq.encode(model.lq))
    for domain in ('hq', 'lq'):
        assert torch.equal(
            model.nets[domain].encoder.conv_in.weight, _weights(STAGE1[domain])['encoder.conv_in.weight']
        )
    model.optimize_parameters(1)
    assert model.get_current_log()['l_assoc'] == pytest.approx(float(expected), rel=1e-4)


@pytest.mark.parametrize(('row', 'hq_learns'), [('fig7_a', False), ('fig7_b', True)])
def test_what_the_association_of_fig_7_trains(work, row, hq_learns):
    """Of the training that `daefr ablate` ran."""
    for domain, learns in (('hq', hq_learns), ('lq', True)):
        before, after = _weights(STAGE1[domain]), _weights(f'tiny_{row}/models/net_{domain}')
        assert _parts(_changed(before, after)) == (
            {'encoder', 'quant_conv', 'codebook', 'post_quant_conv', 'decoder'} if learns else set()
        )
    assert Path(f'experiments/tiny_{row}/models/net_d_hq_latest.pth').exists() == hq_learns
    model = _model(row)
    before = parameter_hash([model.net_hq])
    model.optimize_parameters(1)
    assert (parameter_hash([model.net_hq]) != before) == hq_learns


def test_the_control_row_trains_its_module_and_nothing_else(work):
    plain, control = _weights('tiny_stage3_restoration/models/net_g'), _weights('tiny_table3_control/models/net_g')
    assert all(torch.equal(control[key], value) for key, value in plain.items())
    added = control.keys() - plain.keys()
    assert _parts(added) == {'lq_control', 'lq_codebook'}
    lq_codes = _weights(STAGE2['lq'])['codebook.embedding.weight']
    assert torch.equal(control['lq_codebook.embedding.weight'], lq_codes)
    model = _model('table3_control')
    start = {key: value.clone() for key, value in model.net_g.state_dict().items()}
    for iteration in (1, 2):  # the last convolutions start at zero: what is before them learns from the second step on
        model.optimize_parameters(iteration)
    assert _changed(start, model.net_g.state_dict()) == {key for key in added if key.startswith('lq_control.')}
