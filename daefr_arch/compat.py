"""The only place that repairs BasicSR and facexlib on current torch, torchvision, NumPy and OpenCV.

Each repair says in one line why it is needed, checks whether it is, and can be applied any number of times.
"""

import importlib.util
import sys
from types import ModuleType

import numpy as np


def apply() -> None:
    """Applies the repairs. Must run before anything of basicsr is imported; calling it again changes nothing."""
    _restore_functional_tensor()
    _repair_jpeg_quality()


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
