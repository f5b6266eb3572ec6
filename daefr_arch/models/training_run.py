"""Training and testing with BasicSR's own pipelines.

The pipelines read `sys.argv`, look their parts up in their own modules, and build everything themselves. What a run
needs besides is put in place of those parts: options that are checked, and training samples whose order can be resumed.
"""

import logging
import math
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import basicsr.test
import basicsr.train
import torch
from basicsr.data import build_dataloader, build_dataset
from basicsr.utils.logger import initialized_logger
from torch import distributed
from torch.utils.data import DataLoader

from daefr_arch.checkpoints import load_training_state, newest_state, remove_temporaries
from daefr_arch.data.draw_sampler import DrawSampler
from daefr_arch.errors import InputError
from daefr_arch.models.shared_memory import told_what_to_do
from daefr_arch.options.option_file import read_option_file, resolved_option_file
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
    pipeline: Any = basicsr.train if is_train else basicsr.test
    place = list(arguments).index('-opt') + 1
    check_run_options(read_option_file(arguments[place]), is_train=is_train)
    parts: dict[str, Any] = {'parse_options': _checked(pipeline.parse_options)}
    if is_train:
        parts |= {'load_resume_state': load_resume_state, 'create_train_val_dataloader': create_train_val_dataloader}
    _forget_log_file()
    with resolved_option_file(arguments[place]) as file, mock.patch.multiple(pipeline, **parts):
        with _argv([*arguments[:place], file, *arguments[place + 1 :]]), told_what_to_do():
            (pipeline.train_pipeline if is_train else pipeline.test_pipeline)(os.fspath(root or Path.cwd()))
    if distributed.is_initialized():
        distributed.destroy_process_group()


def _forget_log_file() -> None:
    """BasicSR opens a log file at the first use of its logger in a process: a second run would have none of its own."""
    initialized_logger.pop('basicsr', None)
    logger = logging.getLogger('basicsr')
    for handler in tuple(logger.handlers):
        logger.removeHandler(handler)
        handler.close()


@contextmanager
def _argv(arguments: Sequence[str]) -> Iterator[None]:
    with mock.patch.object(sys, 'argv', ['daefr', *arguments]):
        yield


def _checked(parse_options: Callable) -> Callable:
    """BasicSR's parser, and a check of what it returns: --force_yml can bring keys that the file does not have."""

    def parse(root_path: str, is_train: bool = True) -> tuple[dict[str, Any], Any]:
        opt, args = parse_options(root_path, is_train=is_train)
        check_run_options(opt, is_train=is_train)
        return opt, args

    return parse


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
    state = load_training_state(path)
    opt['resume_position'] = {'epoch': state['epoch'], 'iter': state['iter']}
    return state


def create_train_val_dataloader(opt: dict[str, Any], logger: logging.Logger) -> Loaders:
    """The loaders of `datasets`, the sampler, the last epoch and the number of iterations.

    In place of BasicSR's, which begins the epoch anew on resumption, and ends too early where the last, incomplete
    batch of each epoch is dropped.
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
