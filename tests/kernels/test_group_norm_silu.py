import json
import re
import subprocess
import sys
from contextlib import nullcontext
from typing import Any

import pytest
import torch

from daefr_arch import kernels
from daefr_arch.archs.layers import GroupNormSiLU

triton = pytest.importorskip('triton', reason='PyTorch for this platform comes without Triton')
from triton.backends.compiler import GPUTarget  # noqa: E402  Triton may be missing
from triton.compiler import ASTSource  # noqa: E402

from daefr_arch.kernels import group_norm_silu  # noqa: E402


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


@pytest.mark.skipif(not torch.cuda.is_available(), reason='no GPU')
def test_kernels_work_on_the_gpu() -> None:
    kernels.kernels_work.cache_clear()
    assert kernels.kernels_work(0)


@pytest.mark.parametrize(
    'failure', [subprocess.CalledProcessError(1, 'gcc'), RuntimeError('no C compiler'), float('nan'), 0.1]
)
def test_a_gpu_whose_kernels_fail_computes_with_pytorch(
    failure: Exception | float, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def largest_error(device: torch.device) -> float:
        if isinstance(failure, Exception):
            raise failure
        return failure

    monkeypatch.setattr(torch.cuda, 'device', lambda index: nullcontext())
    monkeypatch.setattr(group_norm_silu, 'largest_error', largest_error)
    kernels.kernels_work.cache_clear()
    assert not kernels.kernels_work(0)
    kernels.kernels_work.cache_clear()
    assert 'PyTorch computes instead' in caplog.text


def _ptx(kernel: Any, capability: int, types: dict[str, str], constants: dict[str, int], *, warps: int = 4) -> str:
    """A kernel for an NVIDIA GPU, compiled as Triton does for arguments that are multiples of 16; no GPU is needed."""
    aligned = [index for index, kind in enumerate(types.values()) if kind[0] in '*i']
    source = ASTSource(
        kernel,
        signature=types | dict.fromkeys(constants, 'constexpr'),
        constexprs=constants,
        attrs={(index,): [['tt.divisibility', 16]] for index in aligned},
    )
    compiled = triton.compile(source, target=GPUTarget('cuda', capability, 32), options={'num_warps': warps})
    assert compiled.asm['cubin']
    return compiled.asm['ptx']


def _widths(ptx: str, operation: str) -> set[int]:
    """Bytes of the loads ('ld') or stores ('st') of global memory."""
    found = re.findall(rf'{operation}\.global\.(?:v(\d)\.)?b(\d+)', ptx)
    return {int(count or 1) * int(bits) // 8 for count, bits in found}


@pytest.mark.parametrize('capability', [75, 80, 90, 120])
@pytest.mark.parametrize('number', ['fp16', 'fp32'])
def test_kernels_compile_for_gpus_and_move_16_bytes_at_once(
    capability: int, number: str, tmp_path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv('TRITON_CACHE_DIR', str(tmp_path))
    x, statistics = f'*{number}', '*fp32'
    counts = {'pixels': 'i32', 'channels': 'i32'}
    for channels in (64, 512):
        tile = {'BLOCK': group_norm_silu.TILE // channels, 'CHANNELS': channels}
        sums = {'x': x, 'sums': statistics, 'squares': statistics, **counts, 'chunk': 'i32'}
        ptx = _ptx(group_norm_silu._chunk_sums, capability, sums, tile, warps=group_norm_silu.WARPS)
        assert 16 in _widths(ptx, 'ld')
        normalise = {'x': x, 'out': x, 'scale': statistics, 'shift': statistics, **counts}
        ptx = _ptx(group_norm_silu._normalise_silu, capability, normalise, tile, warps=group_norm_silu.WARPS)
        assert 16 in _widths(ptx, 'ld')
        assert _widths(ptx, 'st') == {16}
    residual = {'h': x, 'bias': x, 'residual': x, 'elements': 'i32', 'channels': 'i32'}
    ptx = _ptx(group_norm_silu._add_residual, capability, residual, {'BLOCK': 1024})
    assert _widths(ptx, 'ld') == _widths(ptx, 'st') == {16}
    vectors = {**dict.fromkeys(('weight', 'bias', 'pre_bias'), x), 'scale': statistics, 'shift': statistics}
    scale = {'x': x, 'sums': statistics, 'squares': statistics, **vectors, **counts, 'chunks': 'i32', 'width': 'i32'}
    for has_bias in (0, 1):
        constants = {'HAS_PRE_BIAS': has_bias, 'CHUNKS': group_norm_silu.MOST_CHUNKS, 'WIDTH': 2}
        assert _ptx(group_norm_silu._scale_and_shift, capability, {**scale, 'eps': 'fp32'}, constants)
