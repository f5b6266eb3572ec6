"""A program of a user that imports this package and calls BasicSR's own train_pipeline."""

import logging
import sys
from pathlib import Path

import pytest
import torch
import yaml
from basicsr.data.data_sampler import EnlargedSampler
from basicsr.train import train_pipeline

from daefr_arch import compat
from daefr_arch.data.draw_sampler import DrawSampler
from daefr_arch.errors import InputError, WeightsError
from daefr_arch.models import training_run
from tests.models.stages import read_options, write_faces

SHORT = {'total_iter': 4, 'gan_opt': None, 'perceptual_opt': None}


@pytest.fixture
def options(tmp_path: Path) -> dict:
    """Four faces, two a batch: two epochs."""
    options = read_options('tiny/stage1_hq') | {'name': 'run', 'val': None}
    options['datasets'].pop('val')
    options['datasets']['train'] |= {'dataroot_gt': str(write_faces(tmp_path / 'faces')), 'batch_size_per_gpu': 2}
    options['datasets']['train'] |= {'num_worker_per_gpu': 0, 'dataset_enlarge_ratio': 1}
    options['train'] |= SHORT
    options['logger'] |= {'print_freq': 1, 'save_checkpoint_freq': 3, 'use_tb_logger': False}
    return options


def _write(options: dict, folder: Path) -> str:
    folder.mkdir(exist_ok=True)
    file = folder / 'run.yml'
    file.write_text(yaml.safe_dump(options))
    return str(file)


def _as_a_program(folder: Path, file: str, *arguments: str) -> dict[str, torch.Tensor]:
    """Runs what a program of three lines runs; returns the weights."""
    compat.forget_log_file()
    with compat.command_line(['-opt', file, *arguments]):
        train_pipeline(str(folder))
    path = folder / 'experiments/run/models/net_g_latest.pth'
    return torch.load(path, map_location='cpu', weights_only=True)['params']


def test_trains_as_the_command_does_and_resumes(options: dict, tmp_path: Path) -> None:
    ours, theirs, resumed = (tmp_path / name for name in ('command', 'program', 'resumed'))
    training_run.run(['-opt', _write(options, ours)], root=ours)
    expected = torch.load(ours / 'experiments/run/models/net_g_latest.pth', weights_only=True)['params']

    base = _write(options, theirs)
    child = theirs / 'child.yml'
    child.write_text(f'base: {Path(base).name}\nscale: 1\n')
    weights = _as_a_program(theirs, str(child))
    torch.testing.assert_close(weights, expected, rtol=0, atol=0)
    copied = yaml.safe_load((theirs / 'experiments/run/child.yml').read_text())
    assert copied | {'val': None} == options | {'scale': 1}

    file = _write(options, resumed)
    training_run.run(['-opt', file], root=resumed)
    experiment = resumed / 'experiments/run'
    for path in experiment.rglob('net_g_latest.pth'):
        path.unlink()
    weights = _as_a_program(resumed, file, '--auto_resume')  # from iteration 3, in the middle of an epoch
    torch.testing.assert_close(weights, expected, rtol=0, atol=0)
    log = max(experiment.glob('train_*.log'), key=lambda path: path.stat().st_mtime).read_text()
    assert 'Resuming training from epoch: 1, iter: 3' in log


def test_options_are_checked(options: dict, tmp_path: Path) -> None:
    options['train']['ema_deca'] = 0.9
    with pytest.raises(InputError, match="unknown option 'ema_deca'; did you mean 'ema_decay'"):
        _as_a_program(tmp_path, _write(options, tmp_path))
    assert not (tmp_path / 'experiments').exists()


def test_the_backend_of_the_file_is_used(options: dict, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.multiprocessing, 'set_start_method', lambda *_: None)
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: False)
    options['dist_params'] = {'backend': 'nccl', 'port': 29500}
    for name in ('RANK', 'LOCAL_RANK', 'WORLD_SIZE'):
        monkeypatch.setenv(name, '0')
    with pytest.raises(InputError, match=r'dist_params\.backend: nccl needs a GPU'):
        _as_a_program(tmp_path, _write(options, tmp_path), '--launcher', 'pytorch')


def _foreign(folder: Path) -> dict:
    return {
        'name': 'theirs',
        'model_type': 'SRModel',
        'network_g': {'type': 'MSRResNet'},
        'rank': 0,
        'auto_resume': True,
        'path': {
            'training_states': str(folder / 'training_states'),
            'models': str(folder / 'models'),
            'resume_state': None,
        },
    }


def test_a_model_of_basicsr_resumes_on_a_cpu(tmp_path: Path) -> None:
    """Its states are BasicSR's, and its model loads what path.pretrain_network_g names."""
    opt = _foreign(tmp_path) | {'datasets': {}}
    resume = train_pipeline.__globals__['load_resume_state']
    assert resume(opt) is None
    (tmp_path / 'training_states').mkdir()
    state = {'epoch': 2, 'iter': 20, 'optimizers': [], 'schedulers': []}
    for iteration in (9, 20):
        torch.save(state | {'iter': iteration}, tmp_path / f'training_states/{iteration}.state')
    assert resume(opt) == state
    assert opt['path']['pretrain_network_g'] == str(tmp_path / 'models/net_g_20.pth')
    torch.save({'weights': 1}, tmp_path / 'training_states/30.state')
    assert resume(opt) == state
    (passed_over,) = opt['resumption'].passed_over
    assert '30.state is not a training state: expected epoch, iter, optimizers' in passed_over
    opt |= {'auto_resume': False, 'path': opt['path'] | {'resume_state': str(tmp_path / 'training_states/30.state')}}
    with pytest.raises(WeightsError, match=r'30\.state is not a training state'):
        resume(opt)


@pytest.mark.parametrize('dataset', ['theirs', 'ours'])
def test_samplers_of_others_stay_but_for_our_dataset(options: dict, tmp_path: Path, dataset: str) -> None:
    """Whose degradations would be the same in every epoch with BasicSR's."""
    train = options['datasets']['train'] | {'phase': 'train'}
    if dataset == 'theirs':
        train |= {'type': 'SingleImageDataset', 'dataroot_lq': train['dataroot_gt'], 'io_backend': {'type': 'disk'}}
    opt = options | _foreign(tmp_path) | {'datasets': {'train': train}, 'world_size': 1, 'dist': False, 'num_gpu': 0}
    create = train_pipeline.__globals__['create_train_val_dataloader']
    sampler = create(opt, logging.getLogger('basicsr'))[1]
    assert type(sampler) is (EnlargedSampler if dataset == 'theirs' else DrawSampler)


def test_their_options_are_read_by_basicsr_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options = {'name': 'theirs', 'model_type': 'SRModel', 'num_gpu': 0, 'unknown': 1, 'datasets': {}, 'path': {}}
    monkeypatch.setattr(sys, 'argv', ['train.py', '-opt', _write(options, tmp_path), '--force_yml', 'unknown=1e-4'])
    opt, args = train_pipeline.__globals__['parse_options'](str(tmp_path), is_train=True)
    assert opt['unknown'] == 1e-4
    assert args.opt == str(tmp_path / 'run.yml')
    assert sys.argv[-1] == 'unknown=1e-4'
