"""Every shipped option file builds: networks (on no device), losses, datasets' keys."""

from pathlib import Path

import pytest
import torch
import yaml
from basicsr.archs import build_network
from basicsr.losses import build_loss
from basicsr.utils.registry import DATASET_REGISTRY, METRIC_REGISTRY, MODEL_REGISTRY

from daefr_arch.ablation.row_network import check_row
from daefr_arch.ablation.table_config import read_table_config
from daefr_arch.ablation.training import plan_trainings, read_training
from daefr_arch.errors import WeightsError
from daefr_arch.losses import perceptual_distance
from daefr_arch.models.codebook_updates import CodebookUpdates
from daefr_arch.options.run_options import check_run_options
from tests.models.stages import ROOT, read_options

FILES = sorted(str(path.relative_to(ROOT / 'options').with_suffix('')) for path in (ROOT / 'options').rglob('*.yml'))
TABLES = [name for name in FILES if 'rows' in read_options(name)]
STAGE_FILES = [name for name in FILES if name not in TABLES]
ROWS = [name.removeprefix('ablation/') for name in STAGE_FILES if name.startswith('ablation/') and name.count('/') == 1]


def test_every_stage_has_its_files():
    for folder in ('paper', 'official', 'train', 'tiny', 'lite'):
        for stage in ('stage1_hq', 'stage1_lq', 'stage2_association', 'stage3_restoration', 'control'):
            assert (f'{folder}/{stage}' in FILES) == ((folder, stage) != ('official', 'control'))  # none was released


@pytest.fixture(autouse=True)
def _no_downloads(monkeypatch):
    def fetch(name):
        raise WeightsError(f'{name} is not at hand')

    monkeypatch.setattr(perceptual_distance, 'fetch', fetch)


@pytest.mark.parametrize('name', STAGE_FILES)
def test_option_file_builds(name):
    options = read_options(name)
    assert MODEL_REGISTRY.get(options['model_type'])
    labels = [key.removeprefix('network_') for key in options if key.startswith('network_')]
    with torch.device('meta'):
        networks = {label: build_network(options[f'network_{label}']) for label in labels}
    for dataset in options['datasets'].values():
        assert DATASET_REGISTRY.get(dataset['type'])
        if dataset['type'] == 'DAEFRDegradationDataset':
            assert dataset['gt_size'] == next(iter(networks.values())).resolution
    for metric in (options.get('val') or {}).get('metrics', {}).values():
        assert METRIC_REGISTRY.get(metric['type'])
    check_run_options(options, is_train=not name.startswith('test/'))
    if name.startswith('test/'):
        return
    for key, loss in options['train'].items():
        if isinstance(loss, dict) and key.endswith('_opt') and 'type' in loss:
            if 'embedding_network' in loss:  # a file of the user's
                with pytest.raises(WeightsError, match='no face embedding network'):
                    build_loss(loss)
            elif loss.get('backbone') in ('vgg19', 'lpips') and not loss.get('fallback'):  # that one or none
                with pytest.raises(WeightsError, match='no backbone for the perceptual loss'):
                    build_loss(loss)
            else:
                build_loss(loss)
    CodebookUpdates(
        build_network({'type': 'DAEFRCodebook', 'ch': 32}).codebook, **options['train'].get('codebook_opt', {})
    )


@pytest.mark.parametrize('folder', ['paper', 'official', 'train', 'tiny', 'lite'])
def test_stages_name_the_checkpoints_of_the_stages_before(folder):
    written = set()
    for stage in ('stage1_hq', 'stage1_lq', 'stage2_association', 'stage3_restoration'):
        options = read_options(f'{folder}/{stage}')
        for key, path in options['path'].items():
            if key.startswith('pretrain_network') and path:
                assert path in written, (stage, key)
        labels = [key.removeprefix('network_') for key in options if key.startswith('network_')]
        written |= {f'experiments/{options["name"]}/models/net_{label}_latest.pth' for label in labels}


def _changes(folder, row):
    """Dotted key -> value of what a row's file changes in its base."""
    content = yaml.safe_load((ROOT / 'options/ablation' / folder / f'{row}.yml').read_text())

    def flat(options, place):
        for key, value in options.items():
            if isinstance(value, dict):
                yield from flat(value, f'{place}{key}.')
            else:
                yield f'{place}{key}', value

    return dict(flat(content, ''))


@pytest.mark.parametrize('row', ROWS)
@pytest.mark.parametrize('folder', ['tiny', 'lite'])
def test_rows_of_other_sizes_change_the_same_as_the_papers(row, folder):
    paper, other = _changes('', row), _changes(folder, row)
    assert other.pop('base') == paper.pop('base').replace('../train/', f'../../{folder}/')
    assert paper.pop('name') == row
    assert other.pop('name') == f'{folder}_{row}'
    few = {'train.total_iter', 'train.scheduler.milestones', 'logger.save_checkpoint_freq'}
    other = {key: value for key, value in other.items() if folder == 'lite' or key not in few}
    prefixed = {
        key: value.replace('experiments/', f'experiments/{folder}_') if isinstance(value, str) else value
        for key, value in paper.items()
    }
    assert other == prefixed


def test_every_table_has_its_rows_in_order():
    stems = {name: [row.options.stem for row in _table(name).rows] for name in TABLES}
    expected = {
        'table2': [f'table2_{letter}' for letter in 'abcde'],
        'table3': ['table3_control'] * 6,
        'table6': ['table6_l1', 'table6_l2', 'table6_cross_entropy'],
        'fig7': ['fig7_a', 'fig7_b'],
    }
    assert stems.keys() == {
        *(f'ablation/{table}' for table in expected),
        *(f'ablation/tiny/{table}' for table in expected),
        *(f'ablation/lite/{table}' for table in expected),
    }
    for name, rows in stems.items():
        assert rows == expected[name.split('/')[-1]]
    assert [row.s_lq for row in _table('ablation/table3').rows] == [0, 0.2, 0.4, 0.6, 0.8, 1]


def _table(name):
    return read_table_config(ROOT / 'options' / f'{name}.yml')


@pytest.mark.parametrize('name', TABLES)
def test_tables_name_the_stages_that_their_rows_start_from(name, tmp_path, monkeypatch):
    """Nothing is trained yet: every checkpoint to start from is shipped, or written by a training before."""
    (tmp_path / 'weights').symlink_to(ROOT / 'weights')
    monkeypatch.chdir(tmp_path)
    table = _table(name)
    trainings = {file: read_training(file) for file in (*table.stages, *(row.options for row in table.rows))}
    for row in table.rows:
        check_row(row, trainings[row.options])
    monkeypatch.setattr('daefr_arch.ablation.training._check_datasets', lambda plan: None)
    plan = plan_trainings([trainings[row.options] for row in table.rows], list(trainings.values()))
    assert {training.file for training in plan} == trainings.keys()
    written = {Path('weights/daefr_lite_256.safetensors')}
    for training in plan:
        assert written.issuperset(training.starts_from.values())
        written.update(training.written)


# Transcribed from the paper: Tables 2, 3 and 6.
PAPER = {
    'table2': {
        'lpips': [0.344, 0.343, 0.349, 0.343, 0.351],
        'lmd': [4.170, 4.265, 4.258, 4.197, 4.019],
        'niqe': [4.394, 4.510, 4.297, 4.290, 3.815],
    },
    'table3': {
        'lpips': [0.399, 0.389, 0.378, 0.370, 0.364, 0.363],
        'psnr': [20.040, 20.367, 20.727, 21.074, 21.348, 21.488],
        'ssim': [0.558, 0.571, 0.585, 0.600, 0.612, 0.616],
    },
    'table6': {'fid': [143.991, 70.717, 138.212, 41.230], 'lpips': [0.444, 0.403, 0.552, 0.361]},
}


@pytest.mark.parametrize('name', PAPER)
def test_the_papers_numbers(name):
    table = _table(f'ablation/{name}')
    assert table.metrics == tuple(PAPER[name])
    papers = [*([table.paper_input] if table.paper_input else []), *(row.paper for row in table.rows)]
    assert {metric: [paper[metric] for paper in papers] for metric in table.metrics} == PAPER[name]
