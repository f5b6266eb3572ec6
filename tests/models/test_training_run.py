"""The training engine on a tiny stage 1: option checks, SIGKILL and resumption, two processes, precision, logs."""

import copy
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import pytest
import torch
import yaml
from basicsr.utils import options as basicsr_options
from skimage import data
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from daefr_arch.checkpoints import Provenance, save_network
from daefr_arch.errors import InputError, TrainingError, UsageError, WeightsError
from daefr_arch.models import training_run
from daefr_arch.options.option_file import force_options

LOSS = {'loss_weight': 1.0, 'reduction': 'mean'}
ADAM = {'type': 'Adam', 'lr': 1e-3, 'betas': [0.5, 0.9]}
DEGRADATION = {'blur_sigma': [0.5, 1.5], 'downsample_range': [1.5, 3], 'noise_range': [0, 10], 'jpeg_range': [50, 95]}
RUN = [sys.executable, '-m', 'daefr_arch.train']
TIMEOUT = 300


@pytest.fixture
def options(tmp_path):
    """Six images in batches of two: an epoch has three iterations, so that states lie within epochs."""
    for index in range(6):
        crop = data.astronaut()[20 * index : 20 * index + 256, 30 * index : 30 * index + 256, ::-1]
        path = tmp_path / f'faces/face {index}.png'
        path.parent.mkdir(exist_ok=True)
        cv2.imwrite(str(path), cv2.resize(crop, (32, 32), interpolation=cv2.INTER_AREA))
    dataset = {
        'type': 'DAEFRDegradationDataset',
        'dataroot_gt': str(tmp_path / 'faces'),
        'gt_size': 32,
        **DEGRADATION,
    }
    return {
        'name': 'run',
        'model_type': 'DAEFRCodebookModel',
        'num_gpu': 0,
        'manual_seed': 3,
        'datasets': {
            'train': {
                **dataset,
                'name': 'train',
                'use_hflip': True,
                'num_worker_per_gpu': 0,
                'batch_size_per_gpu': 2,
                'prefetch_mode': None,
            },
            'val': {**dataset, 'name': 'val'},
        },
        'network_g': {
            'type': 'DAEFRCodebook',
            'resolution': 32,
            'ch': 32,
            'ch_mult': [1, 2],
            'num_res_blocks': 1,
            'z_channels': 32,
            'embed_dim': 32,
            'codebook_size': 64,
        },
        'network_d': {'type': 'DAEFRPatchDiscriminator', 'ch': 8, 'num_layers': 2},
        'path': {'resume_state': None},
        'train': {
            'total_iter': 8,
            'ema_decay': 0.9,
            'optim_g': ADAM,
            'optim_d': ADAM,
            'scheduler': {'type': 'MultiStepLR', 'milestones': [3, 6], 'gamma': 0.5},
            'pixel_opt': {'type': 'L1Loss', **LOSS},
            'code_opt': {'type': 'DAEFRCodeLoss'},
            'gan_opt': {'type': 'DAEFRAdversarialLoss', 'loss_weight': 0.8},
        },
        'val': {'val_freq': 2, 'save_img': False, 'metrics': {'psnr': {'type': 'calculate_psnr', 'crop_border': 0}}},
        'logger': {'print_freq': 1, 'save_checkpoint_freq': 2, 'use_tb_logger': True},
    }


def _write(options, folder):
    folder.mkdir(exist_ok=True)
    path = folder / 'options.yml'
    path.write_text(yaml.safe_dump(options))
    return str(path)


def _run(options, folder, *arguments, is_train=True):
    training_run.run(['-opt', _write(options, folder), *arguments], is_train=is_train, root=folder)
    return folder / 'experiments/run'


def _launch(command, folder):
    environment = {**os.environ, 'OMP_NUM_THREADS': '1'}
    with (folder / 'output.txt').open('ab') as output:
        return subprocess.Popen(command, cwd=folder, env=environment, stdout=output, stderr=subprocess.STDOUT)


def _finish(process, folder):
    assert process.wait(TIMEOUT) == 0, (folder / 'output.txt').read_text()[-3000:]


def _weights(path):
    """Of a checkpoint or a file of several networks, without what it says of itself."""
    content = torch.load(path, map_location='cpu', weights_only=True)
    return {name: weights for name, weights in content.items() if name not in ('network', 'provenance')}


def _losses(folder):
    """(name, iteration) -> the value logged last; a resumed run writes a file of its own."""
    values = {}
    for file in sorted((folder / 'tb_logger/run').glob('events*')):
        events = EventAccumulator(str(file)).Reload()
        for tag in events.Tags()['scalars']:
            if tag.startswith(('losses/', 'metrics/', 'perplexity', 'gan_weight')):
                values |= {(tag, event.step): event.value for event in events.Scalars(tag)}
    return values


def _kill_while_saving(process, experiment, iteration):
    """SIGKILL once the networks of `iteration` begin to appear: its training state comes after them."""
    deadline = time.monotonic() + TIMEOUT
    while not (experiment / f'models/net_g_{iteration}.pth').exists():
        assert process.poll() is None
        assert time.monotonic() < deadline
    process.send_signal(signal.SIGKILL)
    assert process.wait(TIMEOUT) == -signal.SIGKILL


def test_a_killed_run_goes_on_as_if_nothing_had_happened(options, tmp_path):
    options['train']['codebook_opt'] = {'kmeans_iterations': 2, 'moving_average': 0.9, 'restart_below': 0.5}
    options['train']['code_opt']['codebook_term'] = False
    options['datasets']['train']['num_worker_per_gpu'] = 1
    whole, killed = tmp_path / 'whole', tmp_path / 'killed'
    command = [*RUN, '-opt', _write(options, whole)]
    _finish(_launch(command, whole), whole)

    command = [*RUN, '-opt', _write(options, killed), '--auto_resume']
    process = _launch(command, killed)
    _kill_while_saving(process, killed / 'experiments/run', iteration=4)
    states = {path.stem for path in (killed / 'experiments/run/training_states').glob('[0-9]*.state')}
    assert '2' in states
    assert not states & {'6', '8'}
    # what a kill at a less lucky moment leaves
    (killed / 'experiments/run/models/.daefr-half.pth').write_bytes(b'half')
    (killed / 'experiments/run/models/net_g_6.pth').write_bytes(b'half')
    _finish(_launch(command, killed), killed)

    assert not list(killed.rglob('.daefr-*'))
    expected, logged = _losses(whole), _losses(killed)
    assert {iteration for name, iteration in expected if name == 'losses/l_pix'} == set(range(1, 9))
    # of the killed run, what TensorBoard had buffered is lost
    assert {key: expected[key] for key in logged} == logged
    assert {key for key in expected if key[1] > 4} <= logged.keys()
    for label in ('g', 'd', 'codebook_updates'):
        one, other = (_weights(folder / f'experiments/run/models/net_{label}_latest.pth') for folder in (whole, killed))
        assert one.keys() == other.keys()
        for kind in one:
            torch.testing.assert_close(one[kind], other[kind], rtol=0, atol=0)


DISTRIBUTED_SCRIPT = """
import os, sys, torch, daefr_arch
from daefr_arch.models import training_run
from daefr_arch.models.base import DAEFRBaseModel
save = DAEFRBaseModel.save
def save_each_rank(self, epoch, current_iter):
    nets = {label: self.get_bare_model(net).state_dict() for label, net in self.nets.items()}
    torch.save(nets, f'rank{self.opt["rank"]}.pth')
    save(self, epoch, current_iter)
DAEFRBaseModel.save = save_each_rank
training_run.run(sys.argv[1:])
"""


def test_two_processes_equal_one_with_the_whole_batch(options, tmp_path):
    options['train'] |= {'total_iter': 3, 'grad_clip': 1.0, 'codebook_opt': {'moving_average': 0.9}}
    options['train']['code_opt']['codebook_term'] = False
    options['train']['optim_g'] = options['train']['optim_d'] = {**ADAM, 'lr': 1e-4, 'eps': 1e-4}
    one, two = tmp_path / 'one', tmp_path / 'two'
    options['datasets']['train']['batch_size_per_gpu'] = 4
    options['datasets']['train']['dataset_enlarge_ratio'] = 2
    single = _run(options, one)
    options['datasets']['train']['batch_size_per_gpu'] = 2
    file = _write(options, two)
    (two / 'script.py').write_text(DISTRIBUTED_SCRIPT)
    torchrun = [sys.executable, '-m', 'torch.distributed.run', '--standalone', '--nproc_per_node', '2']
    _finish(_launch([*torchrun, 'script.py', '-opt', file, '--launcher', 'pytorch'], two), two)

    first, second = _weights(two / 'rank0.pth'), _weights(two / 'rank1.pth')
    assert first.keys() >= {'g', 'd', 'codebook_updates'}
    torch.testing.assert_close(first, second, rtol=0, atol=0)
    for label, weights in first.items():
        expected = _weights(single / f'models/net_{label}_latest.pth')['params']
        torch.testing.assert_close(weights, expected, rtol=1e-3, atol=2e-5)
    log = next((two / 'experiments/run').glob('train_*.log')).read_text()
    assert log.count('iter:       3') == 1  # one process writes


def test_a_loss_that_is_not_finite_stops_the_run_and_keeps_the_last_state(options, tmp_path):
    options['train']['gan_opt'] |= {'loss_weight': float('inf'), 'start_iteration': 3}
    with pytest.raises(TrainingError, match=r'iteration 3: .*l_g_gan is .*face \d\.png'):
        _run(options, tmp_path)
    experiment = tmp_path / 'experiments/run'
    assert [path.name for path in (experiment / 'training_states').iterdir()] == ['2.state']
    assert {path.stem for path in (experiment / 'models').iterdir()} == {
        *('net_g_2', 'net_d_2', 'net_codebook_updates_2', 'net_g_best', 'net_d_best', 'net_codebook_updates_best')
    }
    for path in (experiment / 'models').iterdir():
        for weights in _weights(path).values():
            assert all(tensor.isfinite().all() for tensor in weights.values())


@pytest.mark.parametrize('amp', ['bf16', 'fp16'])
def test_half_precision_clipping_fused_adam_and_channels_last(options, tmp_path, amp):
    options['train'] |= {'total_iter': 2, 'amp': amp, 'grad_clip': 0.5, 'channels_last': True}
    options['train']['optim_g'] = {**ADAM, 'fused': True}
    experiment = _run(options, tmp_path)
    state = torch.load(experiment / 'training_states/2.state', weights_only=True)
    assert bool(state['scaler']) == (amp == 'fp16')
    weights = _weights(experiment / 'models/net_g_latest.pth')
    assert all(tensor.dtype == torch.float32 for tensor in weights['params'].values() if tensor.is_floating_point())
    assert any((weights['params'][key] != average).any() for key, average in weights['params_ema'].items())


def test_log_metrics_images_and_best_checkpoint_then_the_test_pipeline(options, tmp_path, capfd):
    options['train']['total_iter'] = 4
    options['val']['pbar'] = True
    experiment = _run(options, tmp_path)
    assert '6/6' in capfd.readouterr().err
    log = next(experiment.glob('train_*.log')).read_text()
    assert all(text in log for text in ('samples_per_s', 'peak_memory_gib', 'eta', 'l_pix', 'Validation val, 4: psnr'))
    events = EventAccumulator(str(tmp_path / 'tb_logger/run')).Reload()
    assert 'val/face 0' in events.Tags()['images']
    image = events.Images('val/face 0')[0]
    assert (image.width, image.height) == (96, 32)
    best = max(events.Scalars('metrics/val/psnr'), key=lambda event: event.value)
    expected = _weights(experiment / f'models/net_g_{best.step}.pth')
    torch.testing.assert_close(_weights(experiment / 'models/net_g_best.pth'), expected, rtol=0, atol=0)

    test_options = {key: options[key] for key in ('name', 'model_type', 'num_gpu', 'manual_seed', 'network_g')}
    test_options['datasets'] = {'test': options['datasets']['val']}
    test_options['path'] = {'pretrain_network_g': str(experiment / 'models/net_g_best.pth')}
    test_options['val'] = {'save_img': True, 'suffix': 'restored', 'metrics': options['val']['metrics']}
    _run(test_options, tmp_path, is_train=False)
    written = sorted(path.name for path in (tmp_path / 'results/run/visualization/val').iterdir())
    assert written == [f'face {index}_restored.png' for index in range(6)]


@pytest.mark.parametrize(
    ('place', 'typo', 'meant'),
    [
        ((), 'manual_sed', 'manual_seed'),
        (('train',), 'grad_clp', 'grad_clip'),
        (('train', 'optim_g'), 'beta', 'betas'),
        (('train', 'scheduler'), 'milestone', 'milestones'),
        (('train', 'gan_opt'), 'loss_wight', 'loss_weight'),
        (('network_g',), 'ch_mul', 'ch_mult'),
        (('datasets', 'train'), 'gt_sise', 'gt_size'),
        (('path',), 'pretrain_network_gg', 'pretrain_network_g'),
        (('val', 'metrics', 'psnr'), 'crop_boarder', 'crop_border'),
        (('logger',), 'print_frequency', 'print_freq'),
    ],
)
def test_an_unknown_option_is_an_error_before_anything_starts(options, tmp_path, place, typo, meant):
    section = options = copy.deepcopy(options)
    for key in place:
        section = section[key]
    section[typo] = 1
    with pytest.raises(InputError, match=f"unknown option '{typo}'; did you mean '{meant}'"):
        _run(options, tmp_path)
    assert not (tmp_path / 'experiments').exists()


@pytest.mark.parametrize(
    ('place', 'value', 'message'),
    [
        ('train:optim_g:lr', 'fast', r"train\.optim_g\.lr: expected number of at least 0, got 'fast'"),
        ('num_gpu', 800, r'num_gpu: expected .* or less'),
        ('datasets:train:dataroot_gt', '/nowhere', r'datasets\.train\.dataroot_gt: .* none at'),
        ('path:pretrain_network_g', '/nowhere.pth', r'path\.pretrain_network_g: .* none at'),
        ('network_d:type', 'PatchDiscriminator', r'network_d\.type: no network called'),
        ('datasets:train:batch_size_per_gpu', 7, '6 images a process are less than batch_size_per_gpu 7'),
    ],
)
@pytest.mark.parametrize('forced', [False, True])
def test_a_run_that_fails_its_checks_has_touched_nothing(options, tmp_path, place, value, message, forced):
    for folder in ('experiments/run', 'tb_logger/run'):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / 'kept').touch()
    arguments = ['--force_yml', f'{place}={value}'] if forced else []
    file = _write(options if forced else force_options(options, [f'{place}={value}']), tmp_path)
    before = sorted(tmp_path.rglob('*'))
    with pytest.raises(InputError, match=message):
        training_run.run(['-opt', file, *arguments], root=tmp_path)
    assert sorted(tmp_path.rglob('*')) == before


def test_a_checkpoint_of_another_kind_is_refused_before_anything_is_touched(options, tmp_path):
    provenance = Provenance('evidence', iteration=7)
    save_network(tmp_path / 'net.safetensors', {'weight': torch.zeros(1)}, options['network_g'], provenance=provenance)
    options['path'] = {'pretrain_network_g': str(tmp_path / 'net.safetensors')}
    file = _write(options, tmp_path)
    before = sorted(tmp_path.rglob('*'))
    with pytest.raises(WeightsError, match=r'_g: expected stage codebook .* stage evidence, iteration 7'):
        training_run.run(['-opt', file], root=tmp_path)
    assert sorted(tmp_path.rglob('*')) == before


def test_a_launcher_without_its_environment_has_touched_nothing(options, tmp_path, monkeypatch):
    monkeypatch.delenv('RANK', raising=False)
    with pytest.raises(UsageError, match='--launcher pytorch: expected to be started by'):
        _run(options, tmp_path, '--launcher', 'pytorch')
    assert not (tmp_path / 'experiments').exists()


def test_options_forced_on_the_command_line_are_checked_too(options, tmp_path):
    with pytest.raises(InputError, match="unknown option 'amb'; did you mean 'amp'"):
        _run(options, tmp_path, '--force_yml', 'train:amb=bf16')
    assert not (tmp_path / 'experiments').exists()


@pytest.mark.parametrize(
    ('text', 'value'),
    [
        *(('1e-4', 1e-4), ('!!float 2e-4', 2e-4), ('-1', -1), ('3', 3), ('0.5', 0.5), ('true', True)),
        *(('none', None), ('~', None), ('[1, 2]', [1, 2]), ('experiments/a', 'experiments/a')),
    ],
)
def test_forced_values_are_read_as_yaml(text, value):
    read = basicsr_options._postprocess_yml_value(text)
    assert read == value
    assert type(read) is type(value)


def test_unknown_model_is_an_error(options, tmp_path):
    options['model_type'] = 'DAEFRCodebokModel'
    with pytest.raises(InputError, match='DAEFRCodebookModel'):
        _run(options, tmp_path)


def test_help_needs_neither_torch_nor_basicsr():
    code = "import sys, daefr_cli; sys.argv = ['daefr', 'train', '--help']; daefr_cli.main()"
    check = f"import sys\ntry:\n    exec({code!r})\nfinally:\n    assert 'torch' not in sys.modules"
    done = subprocess.run([sys.executable, '-c', check], cwd=Path(__file__).parents[1], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert '--auto_resume' in done.stdout
