"""DAEFR (Tsai et al., "Dual Associated Encoder for Face Restoration", ICLR 2024) for BasicSR.

Importing the package registers its networks, losses, models, datasets and metrics in BasicSR's registries. From then on
BasicSR's own train_pipeline and test_pipeline treat them as `daefr train` and `daefr test` do.

Without PyTorch and BasicSR nothing is registered, and photos are restored by ONNX Runtime.
"""

from typing import TYPE_CHECKING, Any

from daefr_arch.torch_extra import has_torch, require_torch
from daefr_arch.version import __version__

if TYPE_CHECKING:
    from daefr_arch.restoration.restorer import DAEFRRestorer

__all__ = ['DAEFRRestorer', '__version__', 'register']


def register() -> None:
    """Registers everything of this package in BasicSR's registries. Calling it again changes nothing.

    Raises:
        UsageError: PyTorch or BasicSR is not installed.
    """
    require_torch('training')
    from daefr_arch import archs, compat, data, losses, metrics, models
    from daefr_arch.registration import SUFFIXES, import_modules

    compat.apply()
    compat.forget_dropped_modules()
    for package, suffix in zip((archs, losses, data, metrics, models), SUFFIXES, strict=True):
        import_modules(package, suffix)
    from daefr_arch.models import training_run

    training_run.install()


def __getattr__(name: str) -> Any:
    if name == 'DAEFRRestorer':  # facexlib and the detectors are loaded only where photos are restored
        from daefr_arch.restoration.restorer import DAEFRRestorer

        return DAEFRRestorer
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')


if has_torch():
    register()
