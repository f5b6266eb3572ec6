"""What replaces parts of dependencies: how processes find each other, and that no other module does it."""

import ast
import contextlib
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from basicsr.utils import dist_util

import daefr_arch
from daefr_arch import compat
from daefr_arch.errors import InputError

PACKAGE = Path(daefr_arch.__file__).parent
MODULES = sorted(path for path in PACKAGE.rglob('*.py') if path.name != 'compat.py')


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The backends that were started, by a torch that sees no GPU."""
    backends: list[str] = []
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: False)
    monkeypatch.setattr(torch.distributed, 'init_process_group', lambda backend, **_: backends.append(backend))
    monkeypatch.setattr(torch.multiprocessing, 'set_start_method', lambda *_: None)
    return backends


def test_the_backend_of_the_options_is_started(started, monkeypatch: pytest.MonkeyPatch) -> None:
    dist_util.init_dist('pytorch')
    dist_util.init_dist('pytorch', backend='cpu:gloo')
    with compat.default_backend('gloo'):
        dist_util.init_dist('pytorch')
    assert started == ['gloo', 'cpu:gloo', 'gloo']
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: True)
    monkeypatch.setattr(torch.cuda, 'set_device', lambda index: started.append(f'GPU {index}'))
    monkeypatch.setattr(torch.distributed, 'is_backend_available', lambda name: True)
    monkeypatch.setenv('LOCAL_RANK', '3')
    dist_util.init_dist('pytorch')
    with compat.default_backend('nccl'):
        dist_util.init_dist('pytorch')
    assert started[3:] == ['GPU 3', 'cpu:gloo,cuda:nccl', 'GPU 3', 'nccl']


@pytest.mark.parametrize(
    ('name', 'message'),
    [
        ('nccl', 'nccl needs a GPU, and torch sees none here: leave it out, or choose gloo'),
        ('cpu:gloo,cuda:nccl', 'needs a GPU'),
        ('glo', r"dist_params\.backend: expected gloo, nccl, .* got 'glo'"),
    ],
)
def test_an_impossible_backend_is_an_error_in_words(started, name: str, message: str) -> None:
    with pytest.raises(InputError, match=message), compat.default_backend(name):
        dist_util.init_dist('pytorch')
    assert started == []
    dist_util.init_dist('pytorch')
    assert started == ['gloo']


def test_the_command_line_is_restored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, 'argv', ['program', 'x'])
    with contextlib.suppress(ZeroDivisionError), compat.command_line(['-opt', 'a.yml']):
        assert sys.argv == ['program', '-opt', 'a.yml']
        1 / 0  # noqa: B018
    assert sys.argv == ['program', 'x']


@pytest.mark.parametrize('module', MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_other_module_replaces_parts_of_dependencies(module: Path) -> None:
    """Nor uses mock, nor private names of theirs. Settings that a library documents, as Pillow's limit, are none."""
    tree = ast.parse(module.read_text(encoding='utf-8'))
    held = set()  # names of the module for what is theirs
    for node in ast.walk(tree):
        if not isinstance(node, ast.Import | ast.ImportFrom):
            continue
        root = (node.module if isinstance(node, ast.ImportFrom) else node.names[0].name).partition('.')[0]
        assert root not in ('unittest', 'mock'), f'{module}:{node.lineno}'
        if root in ('basicsr', 'facexlib', 'torchvision', 'sys'):
            held |= {alias.asname or alias.name.partition('.')[0] for alias in node.names}
            assert not [alias.name for alias in node.names if alias.name.startswith('_')], f'{module}:{node.lineno}'
    for node in ast.walk(tree):
        owner = node
        while isinstance(owner, ast.Attribute):
            owner = owner.value
        if isinstance(node, ast.Attribute) and isinstance(owner, ast.Name) and owner.id in held:
            place = f'{module}:{node.lineno}: {ast.unparse(node)}'
            assert isinstance(node.ctx, ast.Load), place
            assert not node.attr.startswith('_'), place


def test_either_order_of_imports(tmp_path: Path) -> None:
    """A program may have imported what it calls of BasicSR before, if its BasicSR can be imported alone."""
    code = (
        'import sys, types\n'
        "name = 'torchvision.transforms.functional_tensor'  # as with the torchvision that BasicSR was written for\n"
        'sys.modules[name] = types.SimpleNamespace(rgb_to_grayscale=None)\n'
        'from basicsr.train import train_pipeline\n'
        'from basicsr.utils.dist_util import init_dist\n'
        'import daefr_arch\n'
        'from daefr_arch.models import training_run\n'
        'parts = train_pipeline.__globals__\n'
        "names = 'parse_options', 'copy_opt_file', 'load_resume_state', 'create_train_val_dataloader'\n"
        'assert {parts[name].__module__ for name in names} == {training_run.__name__}\n'
        'assert init_dist.__defaults__ == (None,)\n'
    )
    environment = {**os.environ, 'OMP_NUM_THREADS': '1'}
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
