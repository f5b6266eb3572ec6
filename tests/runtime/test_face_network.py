import copy
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

from daefr_arch.archs.daefr_arch import DAEFR
from daefr_arch.checkpoints import load_network
from daefr_arch.data.degradation import DegradationRanges, degrade, draw_params
from daefr_arch.faces.aligner import crop_face, estimate_alignment
from daefr_arch.faces.detector import build_detector
from daefr_arch.runtime import face_network, precision
from daefr_arch.runtime.cuda_graph import GraphedForward
from daefr_arch.runtime.face_network import FaceNetwork
from daefr_arch.runtime.precision import StagePrecisions, stage_precisions
from daefr_arch.runtime.staged_network import StagedNetwork
from tests.faces.photos import FakeNetwork, astronaut, grace_hopper
from tests.runtime.emulated_tf32 import EmulatedTF32, round_to_tf32

CPU, CUDA = torch.device('cpu'), torch.device('cuda')


@pytest.fixture(scope='module')
def lq_faces() -> list[np.ndarray]:
    """A clean portrait's face (256, 256, 3) BGR, and another one's, degraded by Eq. 8."""
    detector = build_detector('retinaface_mobile0.25_onnx', device=CPU, offline=True)
    faces = []
    for photo in (astronaut(), grace_hopper()):
        matrix = estimate_alignment(detector.detect(photo)[0].landmarks, 256)
        faces.append(crop_face(photo, matrix, 256))
    params = draw_params(DegradationRanges(), np.random.default_rng([1, 1]))
    lq = degrade(faces[1].astype(np.float32) / 255, params)
    return [faces[0], np.clip(lq * 255, 0, 255).round().astype(np.uint8)]


@pytest.fixture(params=['bf16', 'fp16'])
def fastest(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """A machine whose fastest precision is this one."""
    original = precision.resolve_precision

    def resolve(name: str, device: torch.device) -> str:
        return request.param if name == 'auto' else original(name, device)

    monkeypatch.setattr(precision, 'resolve_precision', resolve)
    return request.param


def test_auto_is_never_silently_wrong(
    fastest: str, lq_faces: list[np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is fastest, at least 99 % of the codes are float32's, and the faces are equal to 40 dB PSNR."""
    codes: list[torch.Tensor] = []
    decode = DAEFR.decode

    def noted_decode(self: DAEFR, indices: torch.Tensor, *rest: object) -> torch.Tensor:
        codes.append(indices)
        return decode(self, indices, *rest)

    monkeypatch.setattr(DAEFR, 'decode', noted_decode)
    network = load_network(offline=True)
    auto = FaceNetwork(network, device='cpu', precision='auto')
    assert fastest in auto.precisions
    faces = auto.restore(lq_faces)
    exact_faces = FaceNetwork(network, device='cpu', precision='fp32').restore(lq_faces)
    equal = (codes[0] == codes[1]).float().mean(1)
    assert equal.mean() >= 0.99
    assert equal.min() >= 0.98
    errors = [np.square(a.astype(np.float64) - b).mean() for a, b in zip(faces, exact_faces, strict=True)]
    assert _psnr(np.mean(errors)) >= 40
    assert _psnr(max(errors)) >= 35  # one code of a tie that falls the other way shows in its patch


def _psnr(error: float) -> float:
    return 10 * np.log10(255**2 / max(error, 1e-9))


def test_codes_predicted_in_tf32_are_those_of_float32(lq_faces: list[np.ndarray]) -> None:
    """As `auto` predicts them on CUDA, from features of encoders in fp16."""
    network = load_network(offline=True)
    staged = StagedNetwork(network, StagePrecisions('fp16', 'tf32', 'fp16')).network
    x = torch.from_numpy(np.stack(lq_faces)[..., ::-1].copy()).permute(0, 3, 1, 2) / 127.5 - 1
    with torch.no_grad(), sdpa_kernel(SDPBackend.MATH):
        expected = network.predict(x).logits.argmax(2)
        features = [feature.float() for feature in staged.encode(x.half())]
        with EmulatedTF32() as emulated:
            got = staged.predict_codes(*features).logits.argmax(2)
    assert emulated.products > 100
    equal = (got == expected).float().mean(1)
    assert equal.mean() >= 0.99
    assert equal.min() >= 0.98


def test_tf32_is_rounded_as_a_gpu_rounds_it() -> None:
    values = torch.tensor([1.0, 1 + 2**-10, 1 + 2**-11, 1 + 2**-12, -1 - 2**-11, 0.0])
    expected = torch.tensor([1.0, 1 + 2**-10, 1 + 2**-10, 1.0, -1 - 2**-10, 0.0])
    assert torch.equal(round_to_tf32(values), expected)


def test_precisions_of_the_stages() -> None:
    assert stage_precisions('auto', CUDA) == StagePrecisions('fp16', 'tf32', 'fp16')
    assert stage_precisions('auto', CPU).code_prediction == 'fp32'
    assert stage_precisions('bf16', CPU) == StagePrecisions('bf16', 'bf16', 'bf16')


def test_auto_takes_unknown_networks_in_float32(fastest: str) -> None:
    assert set(FaceNetwork(FakeNetwork(), device='cpu', precision='auto').precisions) == {'fp32'}


SIZES = {'resolution': 32, 'ch': 32, 'ch_mult': (1, 2), 'num_res_blocks': 1, 'n_layers': 1, 'dim_embd': 64}
PARTS = (
    'hq_encoder.conv_in.weight',
    'lq_encoder.conv_in.weight',
    'lq_quant_conv.bias',
    'position_embedding',
    'transformer.0.norm1.weight',
    'code_head.1.weight',
    'codebook.embedding.weight',
)


def _grey_faces(*levels: int) -> list[np.ndarray]:
    return [np.full((32, 32, 3), level, np.uint8) for level in levels]


@pytest.fixture(scope='module')
def tiny_network() -> DAEFR:
    torch.manual_seed(0)
    return DAEFR(**SIZES, lq_control=True)


@pytest.mark.parametrize('value', [torch.nan, torch.inf])
@pytest.mark.parametrize('part', PARTS)
def test_nothing_that_is_not_finite_becomes_codes(tiny_network: DAEFR, part: str, value: float) -> None:
    """argmax takes NaN for the largest logit, and a face of one code looks like a striped square."""
    broken = copy.deepcopy(tiny_network)
    broken.get_parameter(part).data.fill_(value)
    assert FaceNetwork(broken, device='cpu', precision='fp32').restore(_grey_faces(0, 200)) == [None, None]
    assert not broken(torch.zeros(1, 3, 32, 32))[0].isfinite().any()


def test_lq_codes_of_nothing_finite_are_no_codes_either(tiny_network: DAEFR) -> None:
    network = copy.deepcopy(tiny_network)
    network.lq_codebook.embedding.weight.data.fill_(torch.nan)
    face_network = FaceNetwork(network, device='cpu', precision='fp32')
    assert face_network.restore(_grey_faces(99), s_lq=1.0) == [None]
    (restored,) = face_network.restore(_grey_faces(99))
    assert restored is not None  # the codebook takes no part


def test_a_face_that_overflows_is_computed_again_in_float32_alone(
    tiny_network: DAEFR, caplog: pytest.LogCaptureFixture
) -> None:
    network = copy.deepcopy(tiny_network)
    for encoder in (network.hq_encoder, network.lq_encoder):
        encoder.conv_in.weight.data *= 1e5
        encoder.conv_in.bias.data.zero_()
    faces = _grey_faces(255, 128)  # -1 to 1: the first is far from 0, the second near to it
    exact = FaceNetwork(network, device='cpu', precision='fp32').restore(faces)
    half = FaceNetwork(network, device='cpu', precision='fp16').restore(faces)
    assert 'not finite: 1 faces in fp16' in caplog.text
    np.testing.assert_allclose(half[0].astype(int), exact[0], atol=1)
    assert half[1] is not None


def test_graphs_get_batches_of_a_power_of_two(monkeypatch: pytest.MonkeyPatch) -> None:
    """And the faces that fill a batch up do not come back."""
    network = FaceNetwork(FakeNetwork(brightness=0.1), device='cpu', precision='fp32')
    faces = [np.full((64, 64, 3), value, np.uint8) for value in (10, 20, 30)]
    expected = network.restore(faces)
    shapes = []

    def forward(x: torch.Tensor, s_lq: float | None) -> torch.Tensor:
        shapes.append(len(x))
        return network._autocast_forward(x, s_lq)

    graphed = GraphedForward(forward)
    monkeypatch.setattr(network, '_forward', graphed)
    restored = network.restore(faces)
    assert shapes == [4]
    assert all(np.array_equal(a, b) for a, b in zip(restored, expected, strict=True))


@pytest.mark.parametrize('kind', ['daefr', 'another network'])
def test_on_a_cpu_every_network_computes_with_freed_memory_kept(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else comparing the seconds of two networks would not be fair."""
    log: list[str] = []

    @contextmanager
    def kept() -> Iterator[None]:
        log.append('enter')
        yield
        log.append('exit')

    monkeypatch.setattr(face_network, 'freed_memory_kept', kept)
    sizes = {'resolution': 16, 'ch': 32, 'ch_mult': (1,), 'num_res_blocks': 1, 'n_layers': 1, 'dim_embd': 64}
    network = DAEFR(**sizes, encoders='hq') if kind == 'daefr' else FakeNetwork(resolution=16)
    computed = network.decoder.conv_out if isinstance(network, DAEFR) else network
    computed.register_forward_hook(lambda *_: log.append('forward'))
    FaceNetwork(network, device='cpu', precision='fp32').restore([np.zeros((16, 16, 3), np.uint8)])
    assert log == ['enter', 'forward', 'exit']
