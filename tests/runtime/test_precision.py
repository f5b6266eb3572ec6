import threading

import pytest
import torch

from daefr_arch.archs.daefr_arch import DAEFR
from daefr_arch.runtime.face_network import FaceNetwork
from daefr_arch.runtime.precision import StagePrecisions, mixed_type, precision_context, stage_precisions
from daefr_arch.runtime.staged_network import StagedNetwork

CPU, CUDA = torch.device('cpu'), torch.device('cuda')
MATMUL, CUDNN = torch.backends.cuda.matmul, torch.backends.cudnn


def _settings() -> tuple[object, ...]:
    """Of TF32, in the way that this torch and this program read them."""
    if hasattr(MATMUL, 'fp32_precision'):
        return MATMUL.fp32_precision, CUDNN.conv.fp32_precision
    return MATMUL.allow_tf32, CUDNN.allow_tf32


TF32, FLOAT32 = (
    (('tf32', 'tf32'), ('ieee', 'ieee')) if hasattr(MATMUL, 'fp32_precision') else ((True,) * 2, (False,) * 2)
)


@pytest.fixture(params=['default', 'allow_tf32', 'float32_matmul_precision', 'fp32_precision'])
def host(request: pytest.FixtureRequest):
    """The ways in which a program chooses TF32; the settings are as before after the test."""
    matmul, convolution, precision = MATMUL.allow_tf32, CUDNN.allow_tf32, torch.get_float32_matmul_precision()
    if request.param == 'allow_tf32':
        MATMUL.allow_tf32, CUDNN.allow_tf32 = True, False
    elif request.param == 'float32_matmul_precision':
        torch.set_float32_matmul_precision('medium')
    elif request.param == 'fp32_precision':
        if not hasattr(MATMUL, 'fp32_precision'):
            pytest.skip('torch before 2.9 has no fp32_precision')
        before = _settings()
        MATMUL.fp32_precision, CUDNN.conv.fp32_precision = 'tf32', 'ieee'
    yield request.param
    if request.param == 'fp32_precision':
        MATMUL.fp32_precision, CUDNN.conv.fp32_precision = before
        return
    torch.set_float32_matmul_precision(precision)
    MATMUL.allow_tf32, CUDNN.allow_tf32 = matmul, convolution


def test_tf32_is_as_the_program_chose_it_again(host: str) -> None:
    before = _settings()
    with precision_context('tf32', CUDA):
        assert _settings() == TF32
        with precision_context('fp32', CUDA):
            assert _settings() == FLOAT32
        assert _settings() == TF32
    assert _settings() == before
    with pytest.raises(ZeroDivisionError), precision_context('tf32', CUDA):
        1 / 0  # noqa: B018
    assert _settings() == before


def test_threads_that_want_another_tf32_wait() -> None:
    before, inside, seen = _settings(), threading.Event(), []

    def detect() -> None:
        inside.set()
        with precision_context('fp32', CUDA):
            seen.append(_settings())

    thread = threading.Thread(target=detect)
    with precision_context('tf32', CUDA):
        thread.start()
        assert inside.wait(10)
        thread.join(0.1)
        assert (thread.is_alive(), _settings()) == (True, TF32)
    thread.join(10)
    assert seen == [FLOAT32]
    assert _settings() == before


@pytest.mark.parametrize(('precision', 'expected'), [('fp32', torch.float32), ('bf16', torch.bfloat16)])
def test_the_autocast_of_the_program_does_not_reach_inside(precision: str, expected: torch.dtype) -> None:
    a = torch.ones(2, 2)
    with torch.autocast('cpu', torch.float16):
        with precision_context(precision, CPU):
            assert (a @ a).dtype == expected
        assert (a @ a).dtype == torch.float16


@pytest.mark.parametrize('stages', [('fp32', 'tf32', 'fp32'), ('fp32', 'fp32', 'fp32')])
def test_stages_leave_tf32_as_it_was(stages: tuple[str, str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where a CUDA graph is captured: it calls the same function."""
    seen: list[object] = []
    network = DAEFR(resolution=16, ch=32, ch_mult=(1,), num_res_blocks=1, n_layers=1, dim_embd=64, encoders='hq').eval()
    staged = StagedNetwork(network, StagePrecisions(*stages))
    monkeypatch.setattr(staged, '_compute', lambda x, s_lq: seen.append(_settings()))

    class OnCUDA:
        device = CUDA

    before = _settings()
    staged(OnCUDA(), None)
    assert seen == [TF32 if 'tf32' in stages else FLOAT32]
    assert _settings() == before


def test_a_network_of_another_default_type_is_taken_in_float32() -> None:
    torch.set_default_dtype(torch.float64)
    try:
        network = torch.nn.Conv2d(3, 3, 1)
        network.resolution = 16
        FaceNetwork(network, device='cpu', precision='fp32')
    finally:
        torch.set_default_dtype(torch.float32)
    assert network.weight.dtype == torch.float32


@pytest.mark.parametrize('has_amx', [False, True])
def test_auto_depends_on_the_processor_and_on_no_timing(has_amx: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the machine does beside it: no clock is read, nothing is computed."""
    monkeypatch.setattr(torch.cpu, '_is_amx_tile_supported', lambda: has_amx, raising=False)
    for clock in ('perf_counter', 'monotonic', 'time'):
        monkeypatch.setattr(f'time.{clock}', lambda: pytest.fail('a clock was read'))
    monkeypatch.setattr(torch.nn.functional, 'conv2d', lambda *_: pytest.fail('something was computed'))
    expected = 'encoders fp32, code_prediction fp32, decoder bf16' if has_amx else 'fp32'
    assert str(stage_precisions('auto', CPU)) == expected


def test_auto_where_pytorch_cannot_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(torch.cpu, '_is_amx_tile_supported', raising=False)
    assert str(stage_precisions('auto', CPU)) == 'fp32'


@pytest.mark.parametrize(
    ('amp', 'amx', 'expected'),
    [
        (None, True, None),
        ('auto', True, torch.bfloat16),
        ('auto', False, None),
        ('bf16', False, torch.bfloat16),
        ('fp16', False, torch.float16),
    ],
)
def test_mixed_type_of_a_training(
    amp: str | None, amx: bool, expected: torch.dtype | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, '_is_amx_tile_supported', lambda: amx, raising=False)
    assert mixed_type(amp, CPU) is expected
