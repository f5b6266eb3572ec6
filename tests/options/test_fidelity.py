"""The paper's and the official files: what they say, where they differ, and the page that has a row a difference."""

import inspect
import re
from typing import Any

import pytest
import torch
import yaml
from basicsr.archs import build_network
from basicsr.losses import build_loss
from basicsr.utils.registry import ARCH_REGISTRY, LOSS_REGISTRY

from daefr_arch.checkpoints import convert_official
from daefr_arch.data.degradation_dataset import DegradationDatasetOptions
from daefr_arch.models.restoration_model import RestorationOptions
from tests.golden_parameters import TINY, TINY_DAEFR, golden, image, official_state_dict, relative_error
from tests.models.stages import ROOT, read_options

STAGES = ('stage1_hq', 'stage1_lq', 'stage2_association', 'stage3_restoration')
NETWORKS_OF_STAGE_2 = {
    'network_hq': 'network_g',
    'network_lq': 'network_g',
    'network_d_hq': 'network_d',
    'network_d_lq': 'network_d',
}


def _flat(options: dict, place: str = '') -> dict[str, Any]:
    """Dotted key -> value."""
    flat: dict[str, Any] = {}
    for key, value in options.items():
        if isinstance(value, dict):
            flat |= _flat(value, f'{place}{key}.')
        else:
            flat[place + key] = value
    return flat


def _method(file: str) -> dict[str, Any]:
    """What a file says of the method, by the keys of the page: without data folders, checkpoints and logs."""
    options = read_options(file)
    networks = {
        NETWORKS_OF_STAGE_2.get(key, key): value for key, value in options.items() if key.startswith('network_')
    }
    return _flat(networks | options['train'] | options['datasets']['train'])


# Transcribed from the paper: Sec. 3.1 to 3.3, 4.1, Table 5.
EVERYWHERE = {'gt_size': 512, 'batch_size_per_gpu': 4, 'optim_g.lr': 1.44e-4, 'optim_g.type': 'Adam'}
EQUATION_8 = {
    'blur_sigma': [0.1, 15],
    'downsample_range': [0.8, 30],
    'noise_range': [0, 20],
    'jpeg_range': [30, 100],
}
TABLE_5 = {
    'network_g.resolution': 512,
    'network_g.ch': 64,
    'network_g.ch_mult': [1, 2, 2, 4, 4, 8],
    'network_g.num_res_blocks': 2,
    'network_g.attn_resolutions': [],
    'network_g.mid_blocks': False,
    'network_g.quant_convs': False,
    'network_g.resampling': 'bilinear',
    'network_g.embed_dim': 256,
    'network_g.codebook_size': 1024,
}
EQUATIONS_2_AND_3 = {
    'pixel_opt': {'type': 'DAEFRL1Loss', 'loss_weight': 1.0, 'reduction': 'sum'},
    'perceptual_opt': {
        'type': 'DAEFRPerceptualLoss',
        'backbone': 'vgg19',
        'fallback': None,
        'loss_weight': 1.0,
        'feature_norm': 'none',
        'reduction': 'sum',
    },
    'code_opt': {'type': 'DAEFRCodeLoss', 'form': 'paper', 'beta': 0.25, 'reduction': 'sum'},
    'gan_opt': {
        'type': 'DAEFRAdversarialLoss',
        'gan_type': 'log',
        'loss_weight': 0.8,
        'adaptive': False,
        'start_iteration': 1,
    },
}
ITERATIONS = {'stage1_hq': 700_000, 'stage1_lq': 400_000, 'stage2_association': 70_000, 'stage3_restoration': 100_000}
OF_STAGE = {
    'stage1_hq': EQUATIONS_2_AND_3 | {'domain': 'hq'},
    'stage1_lq': EQUATIONS_2_AND_3 | {'domain': 'lq'},
    'stage2_association': EQUATIONS_2_AND_3
    | {'association_opt.form': 'cross_entropy', 'association_opt.scope': 'image'},
    'stage3_restoration': {
        'prediction_opt.feature_weight': 10,
        'prediction_opt.index_weight': 1,
        'prediction_opt.reduction': 'sum',
        'train_encoders': False,
        'network_g.n_layers': 9,
        'network_g.fusion': 'paper',
        'network_g.position_embedding': 'sine',
        'network_g.encoders': 'dual',
    },
}


@pytest.mark.parametrize('stage', STAGES)
def test_the_papers_files_are_the_paper(stage):
    method = _method(f'paper/{stage}')
    expected = _flat(EVERYWHERE | EQUATION_8 | TABLE_5 | OF_STAGE[stage] | {'total_iter': ITERATIONS[stage]})
    assert {key: method.get(key) for key in expected} == expected
    losses = {key.partition('.')[0] for key in method if re.match(r'\w+_opt\.', key)}
    assert losses == {key.partition('.')[0] for key in expected if re.match(r'\w+_opt\.', key)}  # and no other


@pytest.mark.parametrize('stage', STAGES)
def test_the_files_to_the_letter_fall_back_on_nothing(stage):
    for folder in ('paper', 'official'):
        assert _method(f'{folder}/{stage}').get('perceptual_opt.fallback') is None


# The official files against what the official modules computed


def _network(stage, label, sizes):
    return build_network(read_options(f'official/{stage}')[f'network_{label}'] | sizes)


def test_the_official_network_of_stage_3_has_all_parameters_of_the_released_one():
    parts = convert_official(official_state_dict('daefr'))
    with torch.device('meta'):
        networks = {'daefr': _network('stage3_restoration', 'g', {}), 'hq_codebook': _network('stage1_hq', 'g', {})}
    for part, network in networks.items():
        assert {key: value.shape for key, value in network.state_dict().items()} == {
            key: value.shape for key, value in parts[part].items()
        }


def test_official_stage_1_computes_the_released_numbers():
    network, reference = _network('stage1_hq', 'g', TINY), golden()
    network.load_state_dict(convert_official(official_state_dict('codebook_tiny'))['codebook'])
    with torch.no_grad():
        output = network(image('tiny.gt', 2, 32))
    loss = build_loss(read_options('official/stage1_hq')['train']['code_opt'])(output.feature, output.codes)
    assert relative_error(output.reconstruction, reference['stage1_reconstruction']) < 1e-4
    assert relative_error(loss, reference['stage1_code_loss_official']) < 1e-5


def test_official_stage_2_computes_the_released_numbers():
    parts, reference = convert_official(official_state_dict('association_tiny')), golden()
    features = []
    for domain, picture in (('hq', 'tiny.gt'), ('lq', 'tiny.lq')):
        network = _network('stage2_association', domain, TINY)
        network.load_state_dict(parts[f'{domain}_codebook'])
        with torch.no_grad():
            features.append(network.encode(image(picture, 2, 32)))
    for folder, name in (('official', 'association_loss_batch'), ('paper', 'association_loss_image')):
        loss = build_loss(read_options(f'{folder}/stage2_association')['train']['association_opt'])
        assert relative_error(loss(*features), reference[name]) < 1e-5


def test_official_stage_3_computes_the_released_numbers():
    parts, reference = convert_official(official_state_dict('daefr_tiny')), golden()
    network = _network('stage3_restoration', 'g', TINY_DAEFR)
    network.load_state_dict(parts['daefr'])
    restored, logits, fused = network(image('tiny.lq', 2, 32))
    for name, result in (('restored', restored), ('logits', logits), ('fused_feature', fused)):
        assert relative_error(result, reference[name]) < 1e-4, name
    loss = build_loss(read_options('official/stage3_restoration')['train']['prediction_opt'])
    indices, codes = (torch.from_numpy(reference[name]) for name in ('gt_code_index', 'gt_quantized'))
    losses = loss(logits, fused, indices.long(), codes)
    assert relative_error(losses.feature / 10, reference['loss_code_feature']) < 1e-5
    assert relative_error(losses.code_index, reference['loss_code_index']) < 1e-5


# The page


def _rows():
    """Of the table of differences: key, value of the paper, of the official code, of options/train, and the default."""
    page = (ROOT / 'docs/fidelity.md').read_text(encoding='utf-8')
    table = page.partition('## Differences')[2].partition('\n## ')[0]
    for line in table.splitlines()[2:]:
        cells = [cell.strip() for cell in line.strip('|').split('|')]
        if len(cells) == 6 and (option := re.match(r'(\*\*)?`([\w.]+): (.+?)`(?:\*\*)?, (\*\*)?`(.+?)`', cells[3])):
            in_train, key, paper, _, official = option.groups()
            default = None if cells[4] == 'none' else yaml.safe_load(cells[4].strip('`'))
            paper, official = yaml.safe_load(paper), yaml.safe_load(official)
            yield key, paper, official, paper if in_train else official, default


def _first(folder, key):
    """The value of a key in the first stage that has it."""
    return next((method[key] for stage in STAGES if key in (method := _method(f'{folder}/{stage}'))), None)


def _default(key):
    section, _, name = key.rpartition('.')
    if not section:
        fields = RestorationOptions.model_fields | DegradationDatasetOptions.model_fields
        return fields[name].default
    is_network = section == 'network_g'
    function = ARCH_REGISTRY.get('DAEFR') if is_network else LOSS_REGISTRY.get(_first('paper', f'{section}.type'))
    argument = inspect.signature(function).parameters.get(name)
    return argument.default if argument else None


def _plain(value):
    return list(value) if isinstance(value, tuple) else value


@pytest.mark.parametrize('row', _rows(), ids=lambda row: row[0])
def test_rows_of_the_page_are_what_files_and_code_say(row):
    key, paper, official, in_train, default = row
    assert (_first('paper', key), _first('official', key)) == (paper, official)
    assert _first('train', key) == in_train
    assert _plain(_default(key)) == default


def test_the_page_has_a_row_for_every_difference():
    differences = set()
    for stage in STAGES:
        paper, official = _method(f'paper/{stage}'), _method(f'official/{stage}')
        differences |= {key for key in paper.keys() | official.keys() if paper.get(key) != official.get(key)}
    assert {key for key, *_ in _rows()} == differences
