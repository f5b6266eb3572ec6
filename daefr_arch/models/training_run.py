"""Training and testing with BasicSR's own pipelines.

The pipelines read `sys.argv`, look their parts up in their own modules, and build everything themselves. What a run
needs besides is put in place of those parts, once, when the package is imported: options that are checked and may have
a `base`, and training samples whose order can be resumed. So a program that imports this package and calls BasicSR's
train_pipeline trains as `daefr train` does. Models and datasets of others are left to BasicSR.
"""

import argparse
import logging
import math
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import basicsr.test
import basicsr.train
import torch
from basicsr.data import build_dataloader, build_dataset
from basicsr.utils import check_resume
from basicsr.utils.registry import DATASET_REGISTRY, MODEL_REGISTRY
from torch import distributed
from torch.utils.data import DataLoader

from daefr_arch import compat
from daefr_arch.checkpoints import (
    BASICSR_STATE_KEYS,
    STATE_KEYS,
    load_training_state,
    newest_state,
    remove_temporaries,
)
from daefr_arch.data.degradation_dataset import DAEFRDegradationDataset, check_images
from daefr_arch.data.draw_sampler import DrawSampler
from daefr_arch.errors import InputError
from daefr_arch.models.base import DAEFRBaseModel
from daefr_arch.models.shared_memory import told_what_to_do
from daefr_arch.options.machine import check_launcher, check_machine
from daefr_arch.options.option_file import force_options, read_option_file, resolved_option_file
from daefr_arch.options.run_options import check_run_options

Loaders = tuple[DataLoader, DrawSampler, list[DataLoader], int, int]


def run(arguments: Sequence[str], *, is_train: bool = True, root: str | Path | None = None) -> None:
    """Runs BasicSR's train_pipeline or test_pipeline.

    Args:
        arguments: of the command line, as ['-opt', 'options/tiny/stage1_hq.yml', '--auto_resume']; the file may have
            a `base` (see option_file).
        is_train: train or test.
        root: the folder that gets `experiments/` and `tb_logger/`, or `results/`; the working directory if None.

    Raises:
        InputError, WeightsError: options or checkpoints are wrong; nothing was started.
        TrainingError: a loss is not finite, or shared memory is too small for the workers.
    """
    compat.forget_log_file()
    with compat.command_line(arguments), told_what_to_do():
        (basicsr.train.train_pipeline if is_train else basicsr.test.test_pipeline)(os.fspath(root or Path.cwd()))
    if distributed.is_initialized():
        distributed.destroy_process_group()


def install() -> None:
    """Puts the parts below into BasicSR's pipelines; calling it again changes nothing."""
    compat.replace_pipeline_parts(
        {
            'parse_options': _parse_options,
            'copy_opt_file': _copy_opt_file,
            'load_resume_state': lambda original: load_resume_state,
            'create_train_val_dataloader': _create_train_val_dataloader,
        }
    )


def _is_ours(registry: Any, name: Any, base: type) -> bool:
    """Whether `name` is registered, and a subclass of `base`."""
    return name in registry and isinstance(registry.get(name), type) and issubclass(registry.get(name), base)


def _has_our_model(opt: Mapping[str, Any]) -> bool:
    return _is_ours(MODEL_REGISTRY, opt.get('model_type'), DAEFRBaseModel)


def _parse_options(original: Callable) -> Callable:
    """BasicSR's parser for files with a `base`, and with a check of the file and of what --force_yml makes of it.

    Options of a registered model of others are not checked.
    """

    def parse_options(root_path: str, is_train: bool = True) -> tuple[dict[str, Any], argparse.Namespace]:
        parser = argparse.ArgumentParser(add_help=False)
        parser.add_argument('-opt')
        parser.add_argument('--launcher', default='none')
        parser.add_argument('--force_yml', nargs='+', default=[])
        known = parser.parse_known_args()[0]
        path = known.opt
        if path is None:
            return original(root_path, is_train=is_train)  # its usage
        options = force_options(read_option_file(path), known.force_yml)
        is_checked = _has_our_model(options) or options.get('model_type') not in MODEL_REGISTRY
        if is_checked:
            check_launcher(known.launcher)
            checked = check_run_options(options, is_train=is_train)
        backend = (options.get('dist_params') or {}).get('backend')
        with resolved_option_file(path) as file, compat.command_line([*sys.argv[1:], '-opt', file]):
            with compat.default_backend(backend):
                opt, args = original(root_path, is_train=is_train)
        args.opt = path
        if is_checked:
            resuming = is_train and _is_resuming(opt)
            check_machine(checked, opt, launcher=known.launcher, resuming=resuming)
            if not resuming and _has_our_model(opt):
                MODEL_REGISTRY.get(opt['model_type']).check_starting_points(opt['path'])
            check_images(opt['datasets'], opt['world_size'])
        return opt, args

    return parse_options


def _is_resuming(opt: Mapping[str, Any]) -> bool:
    """Whether there is a training state to go on from."""
    state = newest_state(opt['path']['training_states']) if opt['auto_resume'] else opt['path'].get('resume_state')
    return state is not None


def _copy_opt_file(original: Callable) -> Callable:
    """BasicSR's copy of the option file into the experiment's folder, with what the file's `base` gives."""

    def copy_opt_file(opt_file: str, experiments_root: str) -> None:
        with resolved_option_file(opt_file) as file:
            original(file, experiments_root)

    return copy_opt_file


def load_resume_state(opt: dict[str, Any]) -> dict[str, Any] | None:
    """The state to go on from: with --auto_resume the newest of the experiment, else path.resume_state, else none.

    In place of BasicSR's, which needs a GPU, unpickles anything, and looks below the working directory only.
    """
    folders = opt['path']['training_states'], opt['path']['models']
    path = newest_state(folders[0]) if opt['auto_resume'] else opt['path'].get('resume_state')
    if path is None:
        return None
    opt['path']['resume_state'] = os.fspath(path)
    if opt['rank'] == 0:
        remove_temporaries(*folders)
    is_ours = _has_our_model(opt)
    state = load_training_state(path, STATE_KEYS if is_ours else BASICSR_STATE_KEYS)
    if not is_ours:
        check_resume(opt, state['iter'])  # lets the model load its networks, which ours do by themselves
    kept = state.get('perceptual_backbone')
    opt['resume_position'] = {'epoch': state['epoch'], 'iter': state['iter'], 'perceptual_backbone': kept}
    return state


def _create_train_val_dataloader(original: Callable) -> Callable:
    """Ours for our models and for our dataset, whose degradations are new in each epoch with our sampler only."""

    def create(opt: dict[str, Any], logger: logging.Logger) -> Loaders:
        dataset = opt['datasets'].get('train', {}).get('type')
        if _has_our_model(opt) or _is_ours(DATASET_REGISTRY, dataset, DAEFRDegradationDataset):
            return create_train_val_dataloader(opt, logger)
        return original(opt, logger)

    return create


def create_train_val_dataloader(opt: dict[str, Any], logger: logging.Logger) -> Loaders:
    """The loaders of `datasets`, the sampler, the last epoch and the number of iterations.

    In place of BasicSR's, whose sampler does not tell the dataset the epoch, which begins the epoch anew on resumption,
    and which ends too early where the last, incomplete batch of each epoch is dropped.
    """
    train_opt = opt['datasets']['train']
    train_set = build_dataset(train_opt)
    sampler = DrawSampler(train_set, opt['world_size'], opt['rank'], train_opt.get('dataset_enlarge_ratio', 1))
    batch_size = train_opt['batch_size_per_gpu']
    epoch_iters = len(sampler) // batch_size
    if epoch_iters == 0:
        raise InputError(
            f'datasets.train: {len(sampler)} images a process are less than batch_size_per_gpu {batch_size}'
        )
    position = opt.get('resume_position')
    if position:
        done = min(max(position['iter'] - position['epoch'] * epoch_iters, 0), epoch_iters)
        sampler.resume(position['epoch'], done * batch_size)
    # one GPU a process: without a launcher the batch is not multiplied by the number of GPUs
    train_loader = build_dataloader(
        train_set, train_opt, num_gpu=1, dist=opt['dist'], sampler=sampler, seed=opt['manual_seed']
    )
    train_loader.generator = torch.Generator()  # else each epoch takes a number from the random state of the run
    val_sets = [build_dataset(dataset) for phase, dataset in opt['datasets'].items() if phase.split('_')[0] == 'val']
    val_loaders = [build_dataloader(val_set, val_set.opt) for val_set in val_sets]
    total_iters = int(opt['train']['total_iter'])
    logger.info(
        '%d training images, %d iterations an epoch of %d x %d images, %d iterations in all',
        *(len(train_set), epoch_iters, opt['world_size'], batch_size, total_iters),
    )
    last_epoch = math.ceil(total_iters / epoch_iters) - 1  # the loop of the pipeline includes it
    return train_loader, sampler, val_loaders, last_epoch, total_iters
