"""The only place that replaces parts of BasicSR, facexlib and torchvision, and that uses private names of theirs.

`apply` repairs what fails on current torch, torchvision, NumPy and OpenCV; `replace_pipeline_parts` puts this package's
functions into BasicSR's pipelines; the rest are contexts for what a dependency reads from a fixed place. Each says why
it is needed. All can be applied any number of times, and whatever was imported first.
"""

import importlib.util
import logging
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import numpy as np
import yaml

from daefr_arch.errors import InputError


def apply() -> None:
    """Applies the repairs. Must run before anything of basicsr is imported; calling it again changes nothing."""
    _restore_functional_tensor()
    _repair_jpeg_quality()
    _repair_distributed_start()
    _repair_forced_values()


def forget_dropped_modules() -> None:
    """BasicSR's registries refuse a name twice, and cannot forget one: modules of this package that were dropped from
    sys.modules, as reloaders do, register anew when they are imported again."""
    from basicsr.utils import registry

    for names in (getattr(registry, f'{kind}_REGISTRY') for kind in ('ARCH', 'DATASET', 'LOSS', 'METRIC', 'MODEL')):
        for name, item in tuple(names):
            module = item.__module__
            if module.startswith('daefr_arch.') and getattr(sys.modules.get(module), item.__name__, None) is not item:
                del names._obj_map[name]


def _restore_functional_tensor() -> None:
    """torchvision 0.17 removed `transforms.functional_tensor`, which basicsr.data.degradations imports at its top."""
    name = 'torchvision.transforms.functional_tensor'
    if name in sys.modules or importlib.util.find_spec(name) is not None:
        return
    from torchvision.transforms.functional import rgb_to_grayscale

    module = ModuleType(name)
    module.rgb_to_grayscale = rgb_to_grayscale  # type: ignore[attr-defined]
    sys.modules[name] = module


def _repair_jpeg_quality() -> None:
    """OpenCV 4.x and later refuse the float quality that random_add_jpg_compression draws."""
    from basicsr.data import degradations

    original = degradations.add_jpg_compression
    if getattr(original, '_daefr_repaired', False):
        return

    def add_jpg_compression(img: np.ndarray, quality: float = 90) -> np.ndarray:
        return original(img, round(float(quality)))

    add_jpg_compression.__doc__ = original.__doc__
    add_jpg_compression._daefr_repaired = True  # type: ignore[attr-defined]
    degradations.add_jpg_compression = add_jpg_compression


def _repair_distributed_start() -> None:
    """basicsr's init_dist divides by the number of GPUs, and starts NCCL where no backend was chosen.

    Its default is changed in place, because `basicsr.utils.options` and others hold the function itself.
    """
    import torch
    from basicsr.utils import dist_util

    def init_dist_pytorch(backend: str | None, **options: Any) -> None:
        backend = _distributed_backend(backend)
        if torch.cuda.is_available():
            torch.cuda.set_device(int(os.environ['LOCAL_RANK']))
        torch.distributed.init_process_group(backend, **options)

    dist_util._init_dist_pytorch = init_dist_pytorch
    dist_util.init_dist.__defaults__ = (None,)


def _distributed_backend(name: str | None) -> str:
    """The backend of torch.distributed called `name`; if None, NCCL for GPUs and gloo for CPUs and CPU tensors.

    Raises:
        InputError: this torch does not have it, or NCCL without a GPU.
    """
    import torch

    has_gpu = torch.cuda.is_available()
    if name is None:
        return 'cpu:gloo,cuda:nccl' if has_gpu else 'gloo'
    for backend in (part.rpartition(':')[2] for part in str(name).split(',')):
        if backend == 'nccl' and not has_gpu:
            raise InputError(
                f'dist_params.backend: {name} needs a GPU, and torch sees none here: leave it out, or choose gloo'
            )
        if not torch.distributed.is_backend_available(backend):
            raise InputError(
                f'dist_params.backend: expected gloo, nccl, cpu:gloo,cuda:nccl or another backend of this torch, '
                f'got {name!r}'
            )
    return str(name)


@contextmanager
def default_backend(name: str | None) -> Iterator[None]:
    """Inside, BasicSR's init_dist starts this backend; it hands `dist_params` over under Slurm only, not torchrun."""
    from basicsr.utils import dist_util

    dist_util.init_dist.__defaults__ = (name,)
    try:
        yield
    finally:
        dist_util.init_dist.__defaults__ = (None,)


def _repair_forced_values() -> None:
    """--force_yml leaves 1e-4 and -1 as text, and evaluates lists as Python."""
    from basicsr.utils import options

    options._postprocess_yml_value = read_forced_value


def read_forced_value(value: str) -> Any:
    """The value of an entry KEY=VALUE of --force_yml, read as YAML, and numbers such as 1e-4 as numbers too."""
    text = value.removeprefix('!!float').strip()
    try:
        return float(text) if 'e' in text.lower() or value.startswith('!!float') else yaml.safe_load(text)
    except ValueError:
        return None if text.lower() in ('none', '~') else yaml.safe_load(text)


def replace_pipeline_parts(parts: Mapping[str, Callable[[Callable], Callable]]) -> None:
    """Replaces functions that BasicSR's train_pipeline and test_pipeline call: they leave no other way to be extended.

    The pipelines look them up when they run, so a program that has imported train_pipeline already gets them too.

    Args:
        parts: name of the function in basicsr.train and basicsr.test -> what makes the new one of BasicSR's own.
    """
    import basicsr.test
    import basicsr.train

    for pipeline in (basicsr.train, basicsr.test):
        for name, make in parts.items():
            part = getattr(pipeline, name, None)
            if part is None:  # the test pipeline has fewer
                continue
            original = getattr(part, '_daefr_original', part)
            replacement = make(original)
            replacement._daefr_original = original  # type: ignore[attr-defined]
            setattr(pipeline, name, replacement)


@contextmanager
def command_line(arguments: Sequence[str]) -> Iterator[None]:
    """Inside, the process has these arguments: BasicSR's parser takes them from nowhere else."""
    before = sys.argv
    sys.argv = [before[0], *arguments]
    try:
        yield
    finally:
        sys.argv = before


def forget_log_file() -> None:
    """BasicSR opens a log file at the first use of its logger in a process: a second run would have none of its own."""
    from basicsr.utils.logger import initialized_logger

    initialized_logger.pop('basicsr', None)
    logger = logging.getLogger('basicsr')
    for handler in tuple(logger.handlers):
        logger.removeHandler(handler)
        handler.close()


@contextmanager
def inception_weights(state_dict: Mapping[str, Any]) -> Iterator[None]:
    """Inside, BasicSR's InceptionV3 has these weights: it unpickles a file in one fixed place, and else downloads."""
    from basicsr.archs import inception

    before = inception.LOCAL_FID_WEIGHTS, inception.load_url
    inception.LOCAL_FID_WEIGHTS, inception.load_url = os.devnull + '/none', lambda url, progress: state_dict
    try:
        yield
    finally:
        inception.LOCAL_FID_WEIGHTS, inception.load_url = before
