"""Triton kernels for CUDA, and when they are used. Everywhere else PyTorch computes the same."""

import logging
import os
import tempfile
from functools import cache
from pathlib import Path

import torch
from torch import Tensor

from daefr_arch.checkpoints import cache_folder
from daefr_arch.errors import WeightsError

_TYPES = (torch.float16, torch.bfloat16, torch.float32)

_logger = logging.getLogger(__name__)


def can_fuse(x: Tensor) -> bool:
    """Whether the kernels take this feature map: (B, C, H, W) on CUDA, laid out channels_last, without gradients.

    A network that torch.compile traces is left to its own fusion.
    """
    return (
        x.is_cuda
        and not torch.is_grad_enabled()
        and not torch.compiler.is_compiling()
        and not torch.is_autocast_enabled('cuda')
        and x.dtype in _TYPES
        and x.is_contiguous(memory_format=torch.channels_last)
        and kernels_work(x.device.index)
    )


@cache
def kernels_work(device_index: int) -> bool:
    """Whether Triton is there, compiles for this GPU and agrees with PyTorch; if not, one warning says why."""
    keep_compiled_kernels()
    try:
        from daefr_arch.kernels.group_norm_silu import largest_error

        with torch.cuda.device(device_index):
            error = largest_error(torch.device('cuda', device_index))
    except Exception as reason:  # noqa: BLE001  compilers and drivers have no common error
        _logger.warning('the Triton kernels do not run here, PyTorch computes instead: %s', reason)
        return False
    if not error <= 1e-4:  # nor where it is not a number
        _logger.warning('the Triton kernels are off by %.1e here: PyTorch computes instead', error)
        return False
    return True


def keep_compiled_kernels() -> None:
    """Has Triton and torch.compile keep what they compile in the cache folder, unless the user chose another place.

    For users who cannot write there, as in many containers, it is a temporary folder: both would fail without one.
    """
    variables = {'TRITON_CACHE_DIR': 'triton', 'TORCHINDUCTOR_CACHE_DIR': 'inductor'}
    if variables.keys() <= os.environ.keys():
        return
    try:
        folder = cache_folder()
        folder.mkdir(parents=True, exist_ok=True)
        writable = os.access(folder, os.W_OK)
    except (WeightsError, OSError):
        writable = False
    if not writable:
        folder = Path(tempfile.mkdtemp(prefix='daefr_'))
        _logger.info('compiled kernels are kept in %s: set DAEFR_HOME to a folder where they are found again', folder)
    for variable, name in variables.items():
        os.environ.setdefault(variable, str(folder / name))
