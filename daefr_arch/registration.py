"""Finds the modules that register something, as BasicSR does: by their file names; and imports those of a user."""

import importlib
import os
import pkgutil
import sys
from collections.abc import Sequence
from types import ModuleType

from daefr_arch.errors import InputError

# the ends of the names of modules that register networks, losses, datasets, metrics and models
SUFFIXES = ('arch', 'loss', 'dataset', 'metric', 'model')


def import_modules(package: ModuleType, suffix: str) -> None:
    """Imports every module of `package` whose name ends with `_<suffix>`; importing it registers what it holds."""
    for module in pkgutil.iter_modules(package.__path__):
        if module.name.endswith(f'_{suffix}'):
            importlib.import_module(f'{package.__name__}.{module.name}')


def import_projects(names: Sequence[str]) -> None:
    """Imports modules of a user, which register networks, losses, datasets, metrics and models of their own.

    Of a package, its modules *_arch.py, *_loss.py and so on are imported too, also those of packages in it. The working
    directory is where Python looks first, as with `python -m`. Importing again changes nothing.

    Args:
        names: as Python imports them: 'my_loss' for my_loss.py, 'my_project' for a folder of that name.

    Raises:
        InputError: a module is not found, imports what is not there, or registers a name that is taken.
    """
    if names and not {'', os.getcwd()} & set(sys.path):
        sys.path.insert(0, os.getcwd())
    for name in names:
        if not all(part.isidentifier() for part in name.split('.')):
            raise InputError(f'import: expected the name of a module, as my_project or my_project.losses, got {name!r}')
        try:
            _import_project(name)
        except (ImportError, AssertionError) as error:  # BasicSR's registries assert
            raise InputError(f'import: {name} cannot be imported: {error} (seen from {os.getcwd()})') from error


def _import_project(name: str) -> None:
    package = importlib.import_module(name)
    for module in pkgutil.walk_packages(getattr(package, '__path__', ()), f'{name}.'):
        if module.name.endswith(tuple(f'_{suffix}' for suffix in SUFFIXES)):
            importlib.import_module(module.name)
