"""Options are checked before a run creates anything: one line with the place, what was expected, and what came."""

import copy

import pytest
import torch
from basicsr.utils.registry import ARCH_REGISTRY, DATASET_REGISTRY, LOSS_REGISTRY, METRIC_REGISTRY, MODEL_REGISTRY
from torch import nn

from daefr_arch.archs.codebook_arch import DAEFRCodebook
from daefr_arch.archs.daefr_arch import DAEFR
from daefr_arch.data.degradation_dataset import DAEFRDegradationDataset
from daefr_arch.errors import UsageError
from daefr_arch.losses.code_loss import DAEFRCodeLoss
from daefr_arch.losses.perceptual_loss import DAEFRPerceptualLoss
from daefr_arch.models.codebook_model import DAEFRCodebookModel
from daefr_arch.options.machine import check_launcher, check_machine
from daefr_arch.options.option_file import force_options
from daefr_arch.options.run_options import check_run_options
from daefr_arch.options.section import OptionError
from tests.models.stages import read_options


def _changed(name, place, value):
    options = copy.deepcopy(read_options(name))
    section = options
    *sections, key = place.split('.')
    for part in sections:
        section = section[part]
    section[key] = value
    return options


STAGE1, STAGE2, STAGE3, CONTROL = 'tiny/stage1_hq', 'tiny/stage2_association', 'tiny/stage3_restoration', 'tiny/control'


@pytest.mark.parametrize(
    ('name', 'place', 'value', 'message'),
    [
        (
            STAGE1,
            'train.optim_g.lr',
            '1e-3',
            r"expected number of at least 0, got '1e-3', which YAML reads as text: write 0.001",
        ),
        (STAGE1, 'train.total_iter', 'abc', "expected integer above 0, got 'abc'"),
        (STAGE1, 'train.total_iter', 2.5, 'expected integer above 0, got 2.5'),
        (STAGE1, 'train.amp', 'half', "expected auto or bf16 or fp16 or ~, got 'half'"),
        (STAGE1, 'train.compile', 'yes', "expected true or false, got 'yes'"),
        (STAGE1, 'train.ema_decay', 1.0, 'expected number of at least 0, below 1 or ~, got 1.0'),
        (STAGE1, 'train.domain', 'hr', "expected hq or lq, got 'hr'"),
        (STAGE1, 'train.optim_g.betas', [0.5], r'expected list of 2 numbers of at least 0, below 1, got \[0.5\]'),
        (STAGE1, 'train.scheduler.milestones', 100, 'expected list of integers above 0, got 100'),
        (STAGE1, 'train.pixel_opt.loss_weight', 'one', "expected number, got 'one'"),
        (STAGE1, 'train.gan_opt.gan_type', 'hing', "expected hinge or log or vanilla .*, got 'hing'"),
        (STAGE1, 'train.codebook_opt.moving_average', -1, 'expected number of at least 0, below 1, got -1'),
        (STAGE1, 'train.net_d_iters', 2, r'expected 1, got 2 .*gan_opt\.start_iteration'),
        (STAGE1, 'network_g.ch', 30, 'expected integer above 0, a multiple of 32, got 30'),
        (STAGE1, 'network_g.codebook_size', True, 'expected integer above 0, got True'),
        (STAGE1, 'datasets.train.gt_size', 64, 'expected 32, the resolution of network_g, got 64'),
        (STAGE1, 'datasets.val.gt_size', 64, 'expected 32, the resolution of network_g, got 64'),
        (
            STAGE1,
            'datasets.train.batch_size_per_gpu',
            '4',
            "expected integer above 0, got '4', which YAML reads as text",
        ),
        (STAGE1, 'datasets.train.io_backend.type', 'zip', "expected disk or lmdb, got 'zip'"),
        (STAGE1, 'datasets.train.jpeg_range', [100, 30], r'expected 1 <= low <= high <= 100, got \[100, 30\]'),
        (STAGE1, 'datasets.train.blur_kernel_size', 4, 'expected odd numbers, got'),
        (STAGE1, 'datasets.train.use_hflip', 1, 'expected true or false, got 1'),
        (STAGE1, 'datasets.train.out_size', 32, 'called gt_size here'),
        (STAGE1, 'datasets.train.meta_info', 'x.txt', 'called meta_info_file here'),
        (STAGE1, 'datasets.train.color_jitter_shift', 20, 'Eq. 8 has no such step'),
        (STAGE1, 'datasets.train.crop_components', True, 'no stage has losses of parts of the face'),
        (STAGE1, 'val.metrics.psnr.better', 'larger', "expected higher or lower, got 'larger'"),
        (STAGE1, 'logger.print_freq', 0, 'expected integer above 0, got 0'),
        (STAGE1, 'num_gpu', -1, 'expected integer of at least 0 or auto, got -1'),
        (STAGE1, 'num_gpu', 'all', "expected integer of at least 0 or auto, got 'all'"),
        (STAGE1, 'name', '', "expected text, got ''"),
        (STAGE1, 'path.param_key_g', 'ema', "expected params or params_ema or ~, got 'ema'"),
        (STAGE1, 'path.ignore_resume_networks', ['network_x'], "there is no 'network_x' in this file; did you mean"),
        (STAGE2, 'train.association_opt.temperature', 0, 'expected number above 0, got 0'),
        (STAGE3, 'network_g.fusion', 'mhc', "expected mhca or mhca_ffn or paper or linear, got 'mhc'"),
        (CONTROL, 'train.s_lq', 2, 'expected number from 0 to 1, got 2'),
        (CONTROL, 'val.s_lq', -1, 'expected number from 0 to 1, got -1'),
        (CONTROL, 'network_g.lq_control', False, 'expected true, there is no control module'),
    ],
)
def test_a_wrong_value_is_one_line_with_its_place(name, place, value, message):
    with pytest.raises(OptionError, match=message) as error:
        check_run_options(_changed(name, place, value), is_train=True)
    assert str(error.value).startswith(f'{place}: ')
    assert '\n' not in str(error.value)


@pytest.mark.parametrize(
    ('name', 'place', 'value', 'message'),
    [
        (
            STAGE1,
            'model_type',
            'DAEFRCodebokModel',
            "model_type: no model called 'DAEFRCodebokModel'; did you mean 'DAEFRCodebookModel'",
        ),
        (
            STAGE1,
            'train.pixel_opt.type',
            'L1Los',
            r"train\.pixel_opt\.type: no loss called 'L1Los'; did you mean 'L1Loss'\?",
        ),
        (
            STAGE1,
            'network_d.type',
            'DAEFRPatchDiscriminatr',
            "network_d.type: no network called .*'DAEFRPatchDiscriminator'",
        ),
        (
            STAGE1,
            'datasets.train.type',
            'DegradationDataset',
            "datasets.train.type: no dataset called .*'DAEFRDegradationDataset'",
        ),
        (STAGE1, 'val.metrics.psnr.type', 'psnr', 'val.metrics.psnr.type: no metric called .*daefr_psnr'),
        (STAGE1, 'train.optim_g.type', 'AdamW', "train.optim_g.type: no optimiser called 'AdamW'; did you mean 'Adam'"),
        (STAGE1, 'train.scheduler.type', 'StepLR', "train.scheduler.type: no scheduler called .*'MultiStepLR'"),
        (STAGE1, 'network_g.resolution', 33, 'network_g: DAEFRCodebook cannot be built: expected a resolution'),
        (
            STAGE3,
            'network_g.fusion_heads',
            7,
            'network_g: DAEFR cannot be built: expected a number of heads that divides',
        ),
        (STAGE1, 'network_d', None, 'network_d is missing: train.gan_opt'),
        (STAGE1, 'train.optim_d', None, 'train.optim_d is missing: gan_opt'),
        (STAGE1, 'train.pixel_opt', None, 'train.pixel_opt is missing: expected a mapping'),
        (STAGE1, 'train', [], r'train: expected a mapping, got \[\]'),
        (STAGE1, 'train.pixel_opt', {'loss_weight': 1}, 'train.pixel_opt.type is missing'),
        (
            STAGE1,
            'network_gg',
            {'type': 'DAEFRCodebook'},
            "option file: unknown option 'network_gg'; did you mean 'network_g'",
        ),
        (STAGE1, 'datasets.valid', {}, r'datasets\.valid\.type is missing'),
        (STAGE3, 'path.pretrain_network_codebook', None, 'path.pretrain_network_codebook is missing: expected text'),
        (STAGE3, 'path.pretrain_network_hq', None, 'path.pretrain_network_hq is missing'),
        (STAGE2, 'network_d_lq', None, 'network_d_lq is missing'),
    ],
)
def test_what_does_not_fit_together_or_is_not_there(name, place, value, message):
    with pytest.raises(OptionError, match=message):
        check_run_options(_changed(name, place, value), is_train=True)


@pytest.mark.parametrize(
    ('place', 'message'),
    [
        ('name', 'name is missing'),
        ('model_type', 'model_type is missing'),
        ('path', 'path is missing'),
        ('datasets.train', 'datasets.train is missing'),
        ('datasets.train.batch_size_per_gpu', 'datasets.train.batch_size_per_gpu is missing'),
        ('datasets.val.dataroot_gt', 'datasets.val.dataroot_gt is missing: expected text'),
        ('network_g', 'network_g is missing'),
        ('train.total_iter', 'train.total_iter is missing'),
        ('train.optim_g', 'train.optim_g is missing'),
        ('train.code_opt', 'train.code_opt is missing'),
        ('val.val_freq', 'val.val_freq is missing'),
        ('val.save_img', 'val.save_img is missing'),
        ('logger', 'logger is missing'),
    ],
)
def test_a_missing_option_is_named(place, message):
    options = copy.deepcopy(read_options(STAGE1))
    *sections, key = place.split('.')
    section = options
    for part in sections:
        section = section[part]
    del section[key]
    with pytest.raises(OptionError, match=message):
        check_run_options(options, is_train=True)


def test_values_that_basicsr_users_write():
    options = read_options(STAGE1)
    options['val'] |= {'val_freq': 5e3, 'pbar': True}
    options['train'] |= {'total_iter': 2e4, 'net_d_iters': 1, 'net_d_init_iters': 0}
    options['train']['scheduler'] = {'type': 'CosineAnnealingRestartLR', 'periods': [10], 'eta_min': 1e-7}
    options['path'] |= {
        'pretrain_network_g': None,
        'strict_load_g': False,
        'param_key_g': 'params_ema',
        'ignore_resume_networks': ['network_d'],
    }
    options['datasets']['train'] |= {'blur_kernel_size': 5, 'use_shuffle': True, 'pin_memory': True}
    options['datasets']['val_2'] = {**options['datasets']['val'], 'name': 'other'}
    read = check_run_options(options, is_train=True)
    assert read.train.total_iter == 20_000
    assert read.val.pbar
    options['datasets']['val_2']['name'] = options['datasets']['val']['name']
    with pytest.raises(OptionError, match=r'datasets\.val_2\.name: expected another one than that of datasets\.val'):
        check_run_options(options, is_train=True)


def test_a_test_needs_nothing_of_training():
    options = read_options(STAGE1)
    test = {key: options[key] for key in ('name', 'model_type', 'num_gpu', 'network_g')}
    test |= {'datasets': {'test': options['datasets']['val']}, 'path': {}, 'val': {'save_img': True}}
    assert check_run_options(test, is_train=False).train.domain == 'hq'
    assert check_run_options(test | {'train': {'domain': 'lq'}}, is_train=False).train.domain == 'lq'
    with pytest.raises(OptionError, match=r'train\.domain: expected hq or lq'):
        check_run_options(test | {'train': {'domain': 'l'}}, is_train=False)
    with pytest.raises(OptionError, match=r'datasets\.train: expected test, val or val_<name>'):
        check_run_options(test | {'datasets': options['datasets']}, is_train=False)


@pytest.fixture
def registered(monkeypatch):
    """Registers classes for one test."""

    def register(registry, item):
        monkeypatch.setitem(registry._obj_map, item.__name__, item)

    return register


def test_a_users_subclasses_pass(registered):
    class MyNetwork(DAEFR):
        def __init__(self, my_width: int = 3, **kwargs):
            super().__init__(**kwargs)

    class MyLoss(DAEFRCodeLoss):
        def __init__(self, my_weight=0.5, **kwargs):
            super().__init__(**kwargs)

    class MyModel(DAEFRCodebookModel):
        pass

    class MyDataset(DAEFRDegradationDataset):
        pass

    def my_metric(img, img2, **kwargs):
        return 0.0

    for registry, item in (
        (ARCH_REGISTRY, MyNetwork),
        (LOSS_REGISTRY, MyLoss),
        (MODEL_REGISTRY, MyModel),
        (DATASET_REGISTRY, MyDataset),
        (METRIC_REGISTRY, my_metric),
    ):
        registered(registry, item)
    options = read_options(STAGE1)
    options['model_type'] = 'MyModel'
    options['my_section'] = {'a': 1}
    options['train'] |= {'my_switch': True}
    options['train']['code_opt'] = {'type': 'MyLoss', 'my_weight': 1, 'beta': 0.3}
    options['datasets']['train'] |= {'type': 'MyDataset', 'my_crop': 3}
    options['network_g'] = {'type': 'MyNetwork', 'my_width': 5, 'ch': 64, 'resolution': 32}
    options['val']['metrics']['mine'] = {'type': 'my_metric', 'window': 3}
    assert check_run_options(options, is_train=True).train.domain == 'hq'
    options['train']['domain'] = 'lr'  # what the base declares is still checked
    with pytest.raises(OptionError, match=r'train\.domain'):
        check_run_options(options, is_train=True)


def test_a_subclass_with_kwargs_has_its_parents_arguments(registered):
    class MyNetwork(DAEFRCodebook):
        def __init__(self, my_width: int = 3, **kwargs):
            super().__init__(**kwargs)

    class MyNarrowNetwork(MyNetwork):
        pass

    class MyLoss(DAEFRPerceptualLoss):
        """Knows what its parent needs."""

        def __init__(self, **kwargs):
            super().__init__(backbone='vgg19', **kwargs)

    class MyOpenLoss(nn.Module):
        def __init__(self, power=2, **kwargs):
            super().__init__()

    for registry, item in (
        *((ARCH_REGISTRY, network) for network in (MyNetwork, MyNarrowNetwork)),
        *((LOSS_REGISTRY, loss) for loss in (MyLoss, MyOpenLoss)),
    ):
        registered(registry, item)
    for network in ('MyNetwork', 'MyNarrowNetwork'):
        given = {**read_options(STAGE1)['network_g'], 'type': network, 'my_width': 4}
        check_run_options(_changed(STAGE1, 'network_g', given), is_train=True)
        with pytest.raises(OptionError, match=r"network_g: unknown .*'codebok_size'; did you mean 'codebook_size'"):
            check_run_options(_changed(STAGE1, 'network_g', {**given, 'codebok_size': 4}), is_train=True)
        with pytest.raises(OptionError, match=r'network_g\.ch: expected integer above 0, a multiple of 32, got 30'):
            check_run_options(_changed(STAGE1, 'network_g', {**given, 'ch': 30}), is_train=True)
    check_run_options(_changed(STAGE1, 'train.pixel_opt', {'type': 'MyLoss', 'loss_weight': 2}), is_train=True)
    check_run_options(_changed(STAGE1, 'train.pixel_opt', {'type': 'MyOpenLoss', 'anything': 2}), is_train=True)


def test_users_own_classes_pass_and_their_arguments_are_known(registered):
    class MyOwnLoss(nn.Module):
        def __init__(self, weights, power=2):
            super().__init__()

    class MyOwnModel:
        pass

    class MyOwnDataset:
        pass

    registered(LOSS_REGISTRY, MyOwnLoss)
    registered(MODEL_REGISTRY, MyOwnModel)
    registered(DATASET_REGISTRY, MyOwnDataset)
    options = _changed(STAGE1, 'train.pixel_opt', {'type': 'MyOwnLoss', 'weights': [1, 2], 'power': 'any'})
    options['datasets']['val'] = {'type': 'MyOwnDataset', 'name': 'mine', 'anything': 1}
    check_run_options(options, is_train=True)
    with pytest.raises(OptionError, match=r"train\.pixel_opt: unknown option 'powr'; did you mean 'power'"):
        check_run_options(
            _changed(STAGE1, 'train.pixel_opt', {'type': 'MyOwnLoss', 'weights': 1, 'powr': 3}), is_train=True
        )
    options |= {'model_type': 'MyOwnModel', 'train': {'whatever': 1}, 'network_x': {'type': 'NotHere'}}
    check_run_options(options, is_train=True)


@pytest.mark.parametrize('launcher', ['pytorch', 'slurm'])
def test_a_launcher_that_did_not_start_the_process(launcher):
    with pytest.raises(UsageError, match=f'--launcher {launcher}: expected to be started by .*is not set'):
        check_launcher(launcher, {})


def test_torchrun_without_the_launcher():
    environment = {'TORCHELASTIC_RUN_ID': 'x', 'WORLD_SIZE': '2', 'RANK': '0', 'LOCAL_RANK': '0'}
    with pytest.raises(UsageError, match='expected --launcher pytorch, got none'):
        check_launcher('none', environment)
    check_launcher('pytorch', environment)
    check_launcher('none', {})


@pytest.mark.parametrize(
    ('place', 'value', 'message'),
    [
        ('num_gpu', 8, 'num_gpu: expected 0 or less, as many as PyTorch finds here, got 8'),
        ('logger.wandb.project', 'mine', "logger.wandb.project: expected ~ without the package wandb .*, got 'mine'"),
        ('datasets.train.prefetch_mode', 'cuda', 'datasets.train.prefetch_mode: expected cpu or ~ without a GPU'),
        ('datasets.train.dataroot_gt', '/nowhere', "datasets.train.dataroot_gt: .*there is none at '/nowhere'"),
        ('path.pretrain_network_g', '/nowhere.pth', 'path.pretrain_network_g: expected a checkpoint, there is none'),
    ],
)
def test_what_the_machine_does_not_have(tmp_path, monkeypatch, place, value, message):
    monkeypatch.setattr(torch.cuda, 'device_count', lambda: 0)
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: False)
    monkeypatch.setattr('importlib.util.find_spec', lambda name: None if name == 'wandb' else object())
    options = read_options(STAGE1)
    for dataset in options['datasets'].values():
        dataset['dataroot_gt'] = str(tmp_path)
    check_machine(check_run_options(options, is_train=True), options, launcher='none', resuming=False)
    forced = force_options(options, [f'{place.replace(".", ":")}={value}'])
    with pytest.raises(OptionError, match=message):
        check_machine(check_run_options(forced, is_train=True), forced, launcher='none', resuming=False)
