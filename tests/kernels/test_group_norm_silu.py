import json
import subprocess
import sys

import pytest
import torch

from daefr_arch import kernels
from daefr_arch.archs.layers import GroupNormSiLU

pytest.importorskip('triton', reason='PyTorch for this platform comes without Triton')


@pytest.fixture(scope='module')
def errors() -> dict[str, float]:
    result = subprocess.run(
        [sys.executable, '-m', 'tests.kernels.interpreted'], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr[-3000:]
    return json.loads(result.stdout.splitlines()[-1])


def test_kernels_equal_float64(errors: dict[str, float]) -> None:
    """To rounding: float32 of sums of many pixels, and the result's own type."""
    assert len(errors) == 17
    for case, error in errors.items():
        # from 1000 with a spread of one, float32 itself keeps four digits
        limit = {'float16': 1e-3, 'bfloat16': 8e-3, 'far from zero': 2e-4}.get(case.split(',')[0], 2e-6)
        assert error < limit, case


def test_cpu_and_training_keep_pytorch() -> None:
    assert not kernels.can_fuse(torch.zeros(1, 32, 4, 4).contiguous(memory_format=torch.channels_last))


def test_norm_adds_the_bias_first() -> None:
    torch.manual_seed(0)
    norm, x, bias = GroupNormSiLU(64), torch.randn(2, 64, 5, 5), torch.randn(64)
    torch.testing.assert_close(norm(x, bias), norm(x + bias[:, None, None]))


def test_a_gpu_whose_kernels_fail_computes_with_pytorch(caplog: pytest.LogCaptureFixture) -> None:
    """Here there is no GPU at all, which fails as well as any other reason would."""
    kernels.kernels_work.cache_clear()
    if torch.cuda.is_available():
        assert kernels.kernels_work(0)
        return
    assert not kernels.kernels_work(0)
    assert 'PyTorch computes instead' in caplog.text
    kernels.kernels_work.cache_clear()
