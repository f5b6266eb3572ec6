"""Whether PyTorch and BasicSR are there: photos are restored without them, all else needs them."""

import importlib.util

from daefr_arch.errors import UsageError

TORCH_EXTRA = "pip install 'daefr_arch[torch]'"
PACKAGES = ('torch', 'torchvision', 'basicsr', 'facexlib')


def has_torch() -> bool:
    """Whether all of PACKAGES are installed; none of them is imported."""
    return not missing()


def require_torch(what: str) -> None:
    """Raises UsageError where one of PACKAGES is not installed. what: as '--mask parse'."""
    if missing():
        raise UsageError(f'{what} needs PyTorch and BasicSR ({", ".join(missing())} not found): {TORCH_EXTRA}')


def missing() -> list[str]:
    """Those of PACKAGES that are not installed."""
    return [name for name in PACKAGES if not _is_there(name)]


def _is_there(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):  # ValueError: imported without a spec, or blocked by None in sys.modules
        return False
