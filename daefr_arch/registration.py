"""Finds the modules that register something, as BasicSR does: by their file names."""

import importlib
import pkgutil
from types import ModuleType


def import_modules(package: ModuleType, suffix: str) -> None:
    """Imports every module of `package` whose name ends with `_<suffix>`; importing it registers what it holds."""
    for module in pkgutil.iter_modules(package.__path__):
        if module.name.endswith(f'_{suffix}'):
            importlib.import_module(f'{package.__name__}.{module.name}')
