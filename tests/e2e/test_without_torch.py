"""Photos are restored where PyTorch is not installed, and come out as with it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from daefr_arch.commands.demo import degraded
from daefr_arch.io.image_file import write_image
from tests.e2e.restore_by_backend import BLOCKED, FIDELITIES, restore_folder
from tests.faces.photos import astronaut, grace_hopper

ROOT = Path(__file__).parents[2]


def python(*arguments: str | Path, cwd: Path = ROOT) -> subprocess.CompletedProcess:
    """A fresh interpreter."""
    environment = os.environ | {'PYTHONPATH': str(ROOT)}
    command = [sys.executable, *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)


def blocked(code: str) -> subprocess.CompletedProcess:
    """Runs the code where nothing of the extra `torch` can be imported."""
    return python('-c', f'import sys; sys.modules.update(dict.fromkeys({BLOCKED}))\n{code}')


@pytest.fixture(scope='module')
def photos(tmp_path_factory) -> Path:
    """Several degradations, 8 and 16 bits, colour and grey, a face that is kept, and a group."""
    folder = tmp_path_factory.mktemp('photos')
    face, hopper = astronaut()[:256, 96:352], grace_hopper()[40:440, 60:460]
    grey = cv2.cvtColor(hopper, cv2.COLOR_BGR2GRAY)
    written = {
        'blurred': cv2.GaussianBlur(face, (0, 0), 3),
        'noisy': degraded(hopper),
        'grey': cv2.GaussianBlur(grey, (0, 0), 4),
        'deep': cv2.resize(cv2.resize(face, (64, 64)), (256, 256)).astype(np.uint16) * 257 + 5,
        'sharp': cv2.resize(hopper, (160, 160), interpolation=cv2.INTER_AREA).repeat(2, 0).repeat(2, 1),
        'two': np.hstack([degraded(face), cv2.GaussianBlur(hopper[:256, 72:328], (0, 0), 2)]),
    }
    for name, photo in written.items():
        write_image(folder / f'{name}.png', np.ascontiguousarray(photo))
    return folder


def test_results_are_those_of_pytorch(photos, tmp_path):
    """Within one level of 8 bits for 99.9 % of the values, at every fidelity."""
    done = python('-m', 'tests.e2e.restore_by_backend', photos, tmp_path / 'light.npz', '--blocked')
    assert done.returncode == 0, done.stderr
    expected = restore_folder(photos, 'torch')
    with np.load(tmp_path / 'light.npz') as light:
        assert set(light) == set(expected)
        for name in expected:
            if name.endswith('verdicts'):
                assert light[name].tolist() == expected[name].tolist() != [], name
                continue
            assert (light[name].shape, light[name].dtype) == (expected[name].shape, expected[name].dtype)
            level = 257 if expected[name].dtype == np.uint16 else 1
            near = np.abs(light[name].astype(int) - expected[name]) <= level
            assert near.mean() >= 0.999, (name, near.mean())
    assert len(expected) == 6 * (len(FIDELITIES) + 1)
    assert any((expected[f'{name} None'] != expected[f'{name} 0']).any() for name in ('blurred', 'grey', 'deep'))


def test_the_command_needs_no_torch_also_where_it_is_installed(photos, tmp_path):
    code = (
        'import sys, daefr_cli\n'
        'code = daefr_cli.main()\n'
        "sys.exit(code or 'torch' in sys.modules or 'basicsr' in sys.modules)"
    )
    done = python('-c', code, 'restore', '-i', photos / 'blurred.png', '-o', tmp_path, '--backend', 'onnx')
    assert done.returncode == 0, done.stderr
    (line,) = map(json.loads, (tmp_path / 'report.jsonl').read_text().splitlines())
    assert (line['status'], line['backend']) == ('ok', 'ONNX Runtime, CPUExecutionProvider')
    assert line['precision'] == 'fp32'


def test_importing_needs_no_torch():
    done = blocked(
        'import daefr_arch\n'
        'assert daefr_arch.DAEFRRestorer and daefr_arch.__version__\n'
        'try:\n    daefr_arch.register()\n'
        "except daefr_arch.errors.UsageError as error:\n    assert 'daefr_arch[torch]' in str(error)\n"
        "else:\n    raise AssertionError('registered')"
    )
    assert done.returncode == 0, done.stderr


def test_films_and_the_page_need_no_torch():
    """But for these modules; the page needs pydantic, which its extra brings."""
    rooms = ('video', 'web', 'restoration', 'downloads', 'io', 'metadata')
    code = (
        "del sys.modules['pydantic']\n"
        'import importlib, pkgutil, daefr_arch\n'
        f'for room in {rooms}:\n'
        "    package = importlib.import_module(f'daefr_arch.{room}')\n"
        '    for module in pkgutil.iter_modules(package.__path__):\n'
        "        if module.name not in ('real_esrgan', 'tensors', 'transfer'):\n"
        "            importlib.import_module(f'{package.__name__}.{module.name}')\n"
        "assert not sys.modules['torch']"
    )
    done = blocked(code)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    'arguments',
    [
        ['train', '-opt', 'options/tiny/stage1_hq.yml'],
        ['evaluate', '-i', 'a', '-g', 'b'],
        ['restore', '-i', 'PHOTO', '--mask', 'parse'],
        ['restore', '-i', 'PHOTO', '--bg_upsampler', 'realesrgan'],
        ['restore', '-i', 'PHOTO', '--identity_weights', 'x.onnx'],
        ['restore', '-i', 'PHOTO', '--backend', 'torch'],
        ['restore', '-i', 'PHOTO', '--model', 'daefr'],
        ['restore', '-i', 'PHOTO', '--detection_model', 'retinaface_resnet50'],
    ],
    ids=' '.join,
)
def test_what_needs_torch_says_so_before_work_begins(arguments, photos, tmp_path):
    words = [str(photos / 'blurred.png') if word == 'PHOTO' else word for word in arguments]
    if words[0] == 'restore':
        words += ['-o', str(tmp_path / 'results')]
    done = blocked(f'import daefr_cli; sys.argv[1:] = {words}; sys.exit(daefr_cli.main())')
    assert done.returncode == 2, done.stderr
    expected = {'--model': 'daefr export', '--detection_model': 'with the backend onnx'}
    assert expected.get(arguments[-2], 'needs PyTorch and BasicSR') in done.stderr
    assert 'Traceback' not in done.stderr
    assert not list(tmp_path.rglob('*.png'))
