"""What a run asks of the machine and of the disk: checked before anything is created."""

import glob
import importlib.util
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from daefr_arch.errors import UsageError
from daefr_arch.options.run_file import BasicSRFile
from daefr_arch.options.section import OptionError

# launcher -> variables of the environment that it sets for each process
LAUNCHERS = {'pytorch': ('RANK', 'LOCAL_RANK', 'WORLD_SIZE'), 'slurm': ('SLURM_PROCID', 'SLURM_NTASKS')}


def check_launcher(launcher: str, environment: Mapping[str, str] = os.environ) -> None:
    """Whether the processes were started by what --launcher says.

    Raises:
        UsageError: --launcher without its launcher, or torchrun without --launcher pytorch.
    """
    missing = [name for name in LAUNCHERS.get(launcher, ()) if name not in environment]
    if missing:
        started = 'torchrun --nproc_per_node GPUS -m daefr_arch.train -opt FILE' if launcher == 'pytorch' else 'srun'
        raise UsageError(f'--launcher {launcher}: expected to be started by `{started}`, {missing[0]} is not set')
    if launcher == 'none' and 'TORCHELASTIC_RUN_ID' in environment and int(environment.get('WORLD_SIZE', 1)) > 1:
        raise UsageError('torchrun: expected --launcher pytorch, got none: each process would train for itself')


def check_machine(options: BasicSRFile, opt: Mapping[str, Any], *, launcher: str, resuming: bool) -> None:
    """Whether GPUs, packages and files that the options name are there.

    Args:
        options: of check_run_options.
        opt: the same as BasicSR has them.
        launcher: none, pytorch or slurm.
        resuming: whether there is a training state, which makes checkpoints to start from needless.

    Raises:
        OptionError: the first that is not.
    """
    _check_gpus(options, launcher)
    for phase, dataset in options.datasets.items():
        _check_prefetching(phase, dataset, options.num_gpu)
        _check_images(phase, dataset)
    if 'train' in options.datasets:
        _check_loggers(options)
    for key, file in ({} if resuming else opt['path']).items():
        if key.startswith('pretrain_network') and file and not Path(file).expanduser().is_file():
            raise OptionError(('path', key), f': expected a checkpoint, there is none at {file!r}')


def _check_gpus(options: BasicSRFile, launcher: str) -> None:
    count, wanted = torch.cuda.device_count(), options.num_gpu
    if wanted != 'auto' and wanted > count and (count == 0 or launcher == 'none'):
        raise OptionError(('num_gpu',), f': expected {count} or less, as many as PyTorch finds here, got {wanted}')


def _check_prefetching(phase: str, dataset: Mapping[str, Any], num_gpu: int | str) -> None:
    if dataset.get('prefetch_mode') != 'cuda':
        return
    if num_gpu == 0 or not torch.cuda.is_available():
        raise OptionError(('datasets', phase, 'prefetch_mode'), ": expected cpu or ~ without a GPU, got 'cuda'")
    if not dataset.get('pin_memory'):
        raise OptionError(('datasets', phase, 'pin_memory'), ': expected true with prefetch_mode: cuda')


def _check_images(phase: str, dataset: Mapping[str, Any]) -> None:
    for key in ('dataroot_gt', 'dataroot_lq', 'meta_info_file'):
        path = dataset.get(key)
        if isinstance(path, str) and not (os.path.exists(os.path.expanduser(path)) or glob.glob(path)):
            raise OptionError(('datasets', phase, key), f': expected a file or folder, there is none at {path!r}')


def _check_loggers(options: BasicSRFile) -> None:
    logger = options.logger
    project = logger.wandb and logger.wandb.project
    if logger.use_tb_logger and importlib.util.find_spec('tensorboard') is None:
        problem = ': expected false without the package tensorboard (pip install tensorboard)'
        raise OptionError(('logger', 'use_tb_logger'), problem)
    if project and importlib.util.find_spec('wandb') is None:
        problem = f': expected ~ without the package wandb (pip install wandb), got {project!r}'
        raise OptionError(('logger', 'wandb', 'project'), problem)
    if project and not logger.use_tb_logger:
        raise OptionError(('logger', 'use_tb_logger'), ': expected true, logger.wandb takes what TensorBoard gets')
