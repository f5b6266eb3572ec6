import importlib
import subprocess
import sys

import cv2
import numpy as np
import pytest
from basicsr.utils.registry import ARCH_REGISTRY, DATASET_REGISTRY, LOSS_REGISTRY, METRIC_REGISTRY, MODEL_REGISTRY

import daefr_arch
from daefr_arch import compat
from daefr_arch.commands.cli import COMMANDS, main


def _run(code: str, *arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, '-c', code, *arguments], capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    'registry', [ARCH_REGISTRY, DATASET_REGISTRY, LOSS_REGISTRY, METRIC_REGISTRY, MODEL_REGISTRY], ids=lambda r: r._name
)
def test_importing_registers(registry):
    ours = [name for name, item in registry if item.__module__.startswith('daefr_arch')]
    assert ours
    assert all(name.lower().startswith('daefr') for name in ours), ours


def test_registration_needs_no_tensorboard():
    code = "import sys; sys.modules['tensorboard'] = sys.modules['torch.utils.tensorboard'] = None; import daefr_arch"
    result = _run(code)
    assert result.returncode == 0, result.stderr


def test_importing_sets_nothing_for_the_whole_process():
    code = 'import os; os.environ.pop({0}, None); import daefr_arch; assert {0} not in os.environ'
    result = _run(code.format("'THP_MEM_ALLOC_ENABLE'"))
    assert result.returncode == 0, result.stderr


def test_the_command_registers_after_parsing():
    code = (
        'import os, sys, daefr_cli\n'
        "assert daefr_cli.main('convert', 'a.ckpt', 'b.pth') == 2\n"
        'import daefr_arch\n'
        'from basicsr.utils.registry import ARCH_REGISTRY\n'
        "assert 'DAEFR' in ARCH_REGISTRY and daefr_arch.DAEFRRestorer\n"
        "assert os.environ['THP_MEM_ALLOC_ENABLE'] == '1'"
    )
    result = _run(code)
    assert result.returncode == 0, result.stderr


def test_importing_twice():
    importlib.reload(daefr_arch)
    daefr_arch.register()


@pytest.mark.parametrize('order', ['gfpgan, daefr_arch', 'daefr_arch, gfpgan'])
def test_beside_gfpgan(order):
    result = _run(f'from daefr_arch import compat; compat.apply(); import {order}')
    assert result.returncode == 0, result.stderr


def test_jpeg_quality_may_be_a_float():
    from basicsr.data import degradations

    image = np.full((16, 16, 3), 0.5, np.float32)
    expected = cv2.imdecode(cv2.imencode('.jpg', image * 255, [int(cv2.IMWRITE_JPEG_QUALITY), 50])[1], 1) / 255
    np.testing.assert_allclose(degradations.add_jpg_compression(image, 50.2), expected, atol=1e-6)
    repaired = degradations.add_jpg_compression
    compat.apply()
    assert degradations.add_jpg_compression is repaired


def test_help_does_not_wait_for_torch():
    code = (
        'import sys, daefr_cli\n'
        'try:\n    daefr_cli.main()\n'
        'except SystemExit as end:\n'
        '    sys.exit(end.code or "torch" in sys.modules or "cv2" in sys.modules)'
    )
    for arguments in (['--help'], ['--version'], *([command, '--help'] for command in COMMANDS)):
        result = _run(code, *arguments)
        assert result.returncode == 0, (arguments, result.stderr)


def test_wrong_arguments_exit_with_2():
    for arguments in ([], ['restaurate'], ['convert'], ['convert', 'a.ckpt', 'b.safetensors', '--no-such-flag']):
        with pytest.raises(SystemExit) as end:
            main(arguments)
        assert end.value.code == 2
    assert main(['convert', 'a.ckpt', 'b.pth']) == 2
