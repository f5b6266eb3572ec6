"""docs/api.md names everything that the package calls public, and nothing that is not there."""

import importlib
import inspect
import pkgutil

from basicsr.utils.registry import ARCH_REGISTRY, DATASET_REGISTRY, LOSS_REGISTRY, METRIC_REGISTRY, MODEL_REGISTRY

import daefr_arch
from daefr_arch import errors
from tests.docs.pages import DOCS, api_names

REGISTRIES = (ARCH_REGISTRY, DATASET_REGISTRY, LOSS_REGISTRY, METRIC_REGISTRY, MODEL_REGISTRY)


def _public() -> set[str]:
    rooms = [importlib.import_module(f'daefr_arch.{room.name}') for room in pkgutil.iter_modules(daefr_arch.__path__)]
    exported = {f'{room.__name__}.{name}' for room in (daefr_arch, *rooms) for name in getattr(room, '__all__', ())}
    registered = [item for registry in REGISTRIES for _, item in registry if item.__module__.startswith('daefr_arch')]
    raised = [item for _, item in inspect.getmembers(errors, inspect.isclass) if item.__module__ == errors.__name__]
    return exported | {f'{item.__module__}.{item.__name__}' for item in (*registered, *raised)}


def test_what_is_public_is_documented():
    public = _public()
    assert 'daefr_arch.checkpoints.convert_official' in public
    assert 'daefr_arch.archs.daefr_arch.DAEFR' in public
    assert public <= set(api_names(DOCS / 'api.md'))


def test_what_is_documented_is_there():
    names = api_names(DOCS / 'api.md')
    assert len(names) == len(set(names))
    for name in names:
        module, _, attribute = name.rpartition('.')
        item = getattr(importlib.import_module(module), attribute)
        assert not attribute.startswith('_') or attribute == '__version__'
        if inspect.isclass(item) or inspect.isfunction(item):
            assert inspect.getdoc(item), f'{name} has no docstring'
