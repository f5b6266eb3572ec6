"""Every shipped option file builds: networks (on no device), losses, datasets' keys."""

import pytest
import torch
from basicsr.archs import build_network
from basicsr.losses import build_loss
from basicsr.utils.registry import DATASET_REGISTRY, METRIC_REGISTRY, MODEL_REGISTRY

from daefr_arch.data.degradation_dataset import LOADER_KEYS, OWN_KEYS, RANGE_KEYS
from daefr_arch.errors import WeightsError
from daefr_arch.losses import perceptual_distance
from daefr_arch.models.codebook_updates import CodebookUpdates
from daefr_arch.options import check_keys
from tests.models.stages import ROOT, read_options

FILES = sorted(str(path.relative_to(ROOT / 'options').with_suffix('')) for path in (ROOT / 'options').rglob('*.yml'))
STAGE_FILES = [name for name in FILES if name.split('/')[0] in ('train', 'tiny', 'lite', 'test')]
ENGINE_KEYS = ('total_iter', 'warmup_iter', 'amp', 'compile', 'channels_last', 'grad_clip', 'ema_decay', 'scheduler')


def test_every_stage_has_its_files():
    for folder in ('train', 'tiny', 'lite'):
        for stage in ('stage1_hq', 'stage1_lq', 'stage2_association', 'stage3_restoration'):
            assert f'{folder}/{stage}' in FILES


@pytest.fixture(autouse=True)
def _no_downloads(monkeypatch):
    def fetch(name):
        raise WeightsError(f'{name} is not at hand')

    monkeypatch.setattr(perceptual_distance, 'fetch', fetch)


@pytest.mark.parametrize('name', STAGE_FILES)
def test_option_file_builds(name):
    options = read_options(name)
    model = MODEL_REGISTRY.get(options['model_type'])
    labels = [key.removeprefix('network_') for key in options if key.startswith('network_')]
    with torch.device('meta'):
        networks = {label: build_network(options[f'network_{label}']) for label in labels}
    for dataset in options['datasets'].values():
        assert DATASET_REGISTRY.get(dataset['type'])
        if dataset['type'] == 'DAEFRDegradationDataset':
            check_keys(dataset, (*LOADER_KEYS, *RANGE_KEYS, *OWN_KEYS), where=name)
            assert dataset['gt_size'] == next(iter(networks.values())).resolution
    for metric in options.get('val', {}).get('metrics', {}).values():
        assert METRIC_REGISTRY.get(metric['type'])
    if name.startswith('test/'):
        return
    check_keys(options['train'], (*ENGINE_KEYS, *model.train_keys), where=name)
    own_paths = ('resume_state', 'strict_load_g', *model.path_keys)
    check_keys(options['path'], own_paths, where=name)
    for key, loss in options['train'].items():
        if isinstance(loss, dict) and key.endswith('_opt') and 'type' in loss:
            build_loss(loss)
    CodebookUpdates(
        build_network({'type': 'DAEFRCodebook', 'ch': 32}).codebook, **options['train'].get('codebook_opt', {})
    )


@pytest.mark.parametrize('folder', ['train', 'tiny', 'lite'])
def test_stages_name_the_checkpoints_of_the_stages_before(folder):
    written = set()
    for stage in ('stage1_hq', 'stage1_lq', 'stage2_association', 'stage3_restoration'):
        options = read_options(f'{folder}/{stage}')
        for key, path in options['path'].items():
            if key.startswith('pretrain_network') and path:
                assert path in written, (stage, key)
        labels = [key.removeprefix('network_') for key in options if key.startswith('network_')]
        written |= {f'experiments/{options["name"]}/models/net_{label}_latest.pth' for label in labels}


@pytest.mark.parametrize('stage', ['stage1_hq', 'stage2_association', 'stage3_restoration'])
def test_training_files_have_the_papers_settings(stage):
    options = read_options(f'train/{stage}')
    assert (
        options['train']['total_iter']
        == {'s': 700_000, 'a': 70_000, 'r': 100_000}[stage.split('_')[1].replace('hq', 's')[0]]
    )
    assert options['train']['optim_g']['lr'] == 1.44e-4
    assert options['datasets']['train']['batch_size_per_gpu'] * 8 == 32
    assert options['datasets']['train']['downsample_range'] == [0.8, 30]
