"""The package is a house: a room imports only from rooms below it, also for type checking."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import daefr_arch

PACKAGE = Path(daefr_arch.__file__).parent
# from the ground up; rooms of one floor do not know each other
FLOORS = (
    ('choices', 'errors', 'version', 'registration', 'compat', 'torch_extra'),
    ('metadata',),
    ('io',),
    ('downloads',),
    ('options',),
    ('checkpoints',),
    ('kernels',),
    ('archs',),
    ('runtime',),
    ('faces',),
    ('losses', 'metrics', 'data'),
    ('models', 'exporting'),
    ('restoration',),
    ('video',),
    ('evaluation', 'verification', 'web', 'cluster'),
    ('comparison',),
    ('analysis',),
    ('ablation',),
    ('commands',),
    ('train', 'spandrel'),
)
FLOOR_OF = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}
LARGEST_SHARE = 0.12  # of the lines, for a room
MODULES = sorted(path for path in PACKAGE.rglob('*.py') if path.parent != PACKAGE or path.name != '__init__.py')


def _room(module: Path) -> str:
    return module.relative_to(PACKAGE).parts[0].removesuffix('.py')


def _imports(module: Path) -> Iterator[tuple[int, str]]:
    """Line and dotted name of every import of the package, at any depth of the module."""
    for node in ast.walk(ast.parse(module.read_text(encoding='utf-8'))):
        if isinstance(node, ast.ImportFrom):
            assert not node.level, f'{module}:{node.lineno}: imports are absolute'
            names = [f'{node.module}.{alias.name}' for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        yield from ((node.lineno, name) for name in names if name.startswith('daefr_arch.'))


@pytest.mark.parametrize('room', FLOOR_OF)
def test_a_room_imports_only_from_rooms_below(room):
    modules = [module for module in MODULES if _room(module) == room]
    assert modules
    for module in modules:
        for line, name in _imports(module):
            imported = name.split('.')[1]
            if imported not in (room, 'register', '__version__'):
                assert FLOOR_OF[imported] < FLOOR_OF[room] or room in FLOORS[0], f'{module}:{line} imports {name}'


def test_weights_have_one_door():
    for module in MODULES:
        for line, name in _imports(module):
            inner = name.split('.')[2:] if name.startswith('daefr_arch.checkpoints.') else []
            passed_by = len(inner) > 1 or any((PACKAGE / f'checkpoints/{part}.py').exists() for part in inner)
            assert _room(module) == 'checkpoints' or not passed_by, f'{module}:{line}: import it from the room itself'


def test_no_room_holds_too_much():
    lines = dict.fromkeys(FLOOR_OF, 0)
    for module in MODULES:
        lines[_room(module)] += len(module.read_text(encoding='utf-8').splitlines())
    largest = max(lines, key=lambda room: lines[room])
    assert lines[largest] <= LARGEST_SHARE * sum(lines.values()), f'{largest}: {lines[largest]} lines'
