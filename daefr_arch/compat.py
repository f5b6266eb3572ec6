"""The only place that repairs BasicSR and facexlib on current torch, torchvision, NumPy and OpenCV.

Each repair says in one line why it is needed, checks whether it is, and can be applied any number of times.
"""

import importlib.util
import os
import sys
from types import ModuleType
from typing import Any

import numpy as np
import yaml


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
    """basicsr's init_dist divides by the number of GPUs and starts NCCL: gloo is needed for CPUs and CPU tensors."""
    import torch
    from basicsr.utils import dist_util

    def init_dist_pytorch(backend: str, **options: Any) -> None:
        del backend
        has_gpu = torch.cuda.is_available()
        if has_gpu:
            torch.cuda.set_device(int(os.environ['LOCAL_RANK']))
        torch.distributed.init_process_group('cpu:gloo,cuda:nccl' if has_gpu else 'gloo', **options)

    dist_util._init_dist_pytorch = init_dist_pytorch


def _repair_forced_values() -> None:
    """--force_yml leaves 1e-4 and -1 as text, and evaluates lists as Python: read them as YAML, and such floats too."""
    from basicsr.utils import options

    def postprocess(value: str) -> Any:
        text = value.removeprefix('!!float').strip()
        try:
            return float(text) if 'e' in text.lower() or value.startswith('!!float') else yaml.safe_load(text)
        except ValueError:
            return None if text.lower() in ('none', '~') else yaml.safe_load(text)

    options._postprocess_yml_value = postprocess
