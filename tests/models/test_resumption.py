"""What a run that goes on does after something has changed or was damaged; and what a second run of its name does."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml
from basicsr.train import train_pipeline
from filelock import FileLock, Timeout

from daefr_arch import compat
from daefr_arch.errors import UsageError, WeightsError
from daefr_arch.models import training_run
from daefr_arch.models.base import DAEFRBaseModel
from tests.checkpoints.test_checksums import flip_bit
from tests.models.stages import read_options, write_faces


@pytest.fixture
def options(tmp_path):
    """Four faces, four a batch: an epoch an iteration."""
    options = read_options('tiny/stage1_hq') | {'name': 'run', 'val': None}
    options['datasets'].pop('val')
    options['datasets']['train'] |= {'dataroot_gt': str(write_faces(tmp_path / 'faces')), 'dataset_enlarge_ratio': 1}
    options['train'] |= {'total_iter': 4, 'gan_opt': None, 'perceptual_opt': None}
    options['logger'] |= {'print_freq': 1, 'save_checkpoint_freq': 1}
    return options


def _run(options, folder, *arguments):
    """Trains; returns the folder of the experiment and the newest log."""
    folder.mkdir(exist_ok=True)
    file = folder / 'run.yml'
    file.write_text(yaml.safe_dump(options))
    training_run.run(['-opt', str(file), *arguments], root=folder)
    experiment = folder / 'experiments/run'
    return experiment, max(experiment.glob('train_*.log'), key=lambda path: path.stat().st_mtime).read_text()


def _weights(experiment, name='latest'):
    return torch.load(experiment / f'models/net_g_{name}.pth', weights_only=True)['params']


def test_training_goes_on_to_the_end_with_other_batches_and_other_images(options, tmp_path):
    _run(options, tmp_path)
    options['train']['total_iter'] = 7
    options['datasets']['train']['batch_size_per_gpu'] = 1
    experiment, log = _run(options, tmp_path, '--auto_resume')
    assert 'batch_size_per_gpu was 4 and is 1: goes on after iteration 4 in epoch 3, after 4 of its 4 images' in log
    assert 'iter:       7' in log
    assert (experiment / 'training_states/7.state').is_file()
    options['train']['total_iter'] = 9
    options['datasets']['train']['dataset_enlarge_ratio'] = 50
    _, log = _run(options, tmp_path, '--auto_resume')
    assert 'dataset_enlarge_ratio was 1 and is 50: goes on after iteration 7 in epoch 5' in log
    assert 'iter:       9' in log


def test_what_is_damaged_is_named_and_the_last_whole_state_taken(options, tmp_path):
    experiment, _ = _run(options, tmp_path)
    expected = _weights(experiment)
    flip_bit(experiment / 'models/net_g_4.pth')
    flip_bit(experiment / 'training_states/3.state')
    _, log = _run(options, tmp_path, '--auto_resume')
    assert 'net_g_4.pth is damaged: the checksum of its part' in log
    assert '3.state is damaged' in log
    assert 'Resuming training from epoch: 1, iter: 2' in log
    torch.testing.assert_close(_weights(experiment), expected, rtol=0, atol=0)
    torch.testing.assert_close(_weights(experiment, 4), expected, rtol=0, atol=0)

    flip_bit(experiment / 'training_states/4.state')
    options['path']['resume_state'] = str(experiment / 'training_states/4.state')
    with pytest.raises(WeightsError, match=r'4\.state is damaged.*--auto_resume goes on from the newest'):
        _run(options, tmp_path)
    for path in (experiment / 'training_states').iterdir():
        path.write_bytes(b'')
    before = sorted(tmp_path.rglob('*'))
    with pytest.raises(WeightsError, match=r'no training state to go on from: .*4\.state.*1\.state.*; remove '):
        _run(options, tmp_path, '--auto_resume')
    assert sorted(tmp_path.rglob('*')) == before


def test_a_damaged_checkpoint_to_start_from_is_named_before_anything_is_created(options, tmp_path):
    experiment, _ = _run(options, tmp_path)
    start = tmp_path / 'start.pth'
    (experiment / 'models/net_g_latest.pth').rename(start)
    flip_bit(start)
    options |= {'name': 'other', 'path': {'pretrain_network_g': str(start)}}
    before = sorted(tmp_path.rglob('*'))
    with pytest.raises(WeightsError, match=r'start\.pth is damaged: the checksum of its part'):
        _run(options, tmp_path)
    assert sorted(tmp_path.rglob('*')) == before


def test_a_state_whose_network_is_missing_is_not_whole(options, tmp_path):
    experiment, _ = _run(options, tmp_path)
    (experiment / 'models/net_codebook_updates_4.pth').unlink()
    _, log = _run(options, tmp_path, '--auto_resume')
    assert 'net_codebook_updates_4.pth is missing' in log
    assert 'iter: 3.' in log


HOLDER = 'import sys, time, filelock; lock = filelock.FileLock(sys.argv[1]); lock.acquire(); print(1); time.sleep(99)'


def test_a_second_run_of_a_name_is_refused_until_the_first_is_gone_however_it_went(options, tmp_path, monkeypatch):
    lock = tmp_path / 'experiments/.daefr-run.lock'
    (tmp_path / 'experiments/run').mkdir(parents=True)
    process = subprocess.Popen([sys.executable, '-u', '-c', HOLDER, str(lock)], stdout=subprocess.PIPE)
    assert process.stdout.readline()
    with pytest.raises(UsageError, match=r'experiments/run: another process .* another name'):
        _run(options, tmp_path)
    assert [path.name for path in (tmp_path / 'experiments').iterdir() if path != lock] == ['run']
    process.kill()
    process.wait()

    def save(model, epoch, current_iter):
        with pytest.raises(Timeout):
            FileLock(lock).acquire(timeout=0)
        saved.append(current_iter)

    saved = []
    monkeypatch.setattr(DAEFRBaseModel, 'save', save)
    _run(options, tmp_path)
    assert saved == [1, 2, 3, 4, -1]
    assert not lock.exists()


def test_a_forced_seed_is_that_of_the_weights_too(options, tmp_path):
    forced, _ = _run(options, tmp_path / 'forced', '--force_yml', 'manual_seed=1')
    options['manual_seed'] = 1
    written, _ = _run(options, tmp_path / 'written')
    torch.testing.assert_close(_weights(forced), _weights(written), rtol=0, atol=0)
    options['manual_seed'] = 0
    with pytest.raises(AssertionError):
        torch.testing.assert_close(_weights(_run(options, tmp_path / 'other')[0]), _weights(written))


def _prepared(options, folder: Path, *arguments):
    """The options as BasicSR's train_pipeline gets them."""
    file = folder / 'run.yml'
    file.write_text(yaml.safe_dump(options))
    with compat.command_line(['-opt', str(file), *arguments]):
        opt, _ = train_pipeline.__globals__['parse_options'](str(folder), is_train=True)
    train_pipeline.__globals__['load_resume_state'](opt)
    return opt


def test_one_seed_unless_the_file_says_otherwise(options, tmp_path):
    options['datasets']['val'] = options['datasets']['train'] | {'name': 'val'}
    datasets = _prepared(options, tmp_path, '--force_yml', 'manual_seed=5')['datasets']
    assert datasets['train']['seed'] == 5
    assert 'seed' not in datasets['val']  # the same images for all runs
    options['datasets']['train']['seed'] = 2
    assert _prepared(options, tmp_path, '--force_yml', 'manual_seed=5')['datasets']['train']['seed'] == 2


def test_a_seed_that_was_drawn_is_kept(options, tmp_path):
    options['manual_seed'] = None
    options['datasets']['train']['batch_size_per_gpu'] = 2  # an order that matters
    experiment, _ = _run(options, tmp_path)
    expected = _weights(experiment)
    for iteration in (4, 3):
        (experiment / f'training_states/{iteration}.state').unlink()
    _run(options, tmp_path, '--auto_resume')
    torch.testing.assert_close(_weights(experiment), expected, rtol=0, atol=0)
