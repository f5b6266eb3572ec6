import numpy as np
import pytest
import torch

from daefr_arch.checkpoints import load_network
from daefr_arch.data.degradation import DegradationRanges, degrade, draw_params
from daefr_arch.restoration import face_network
from daefr_arch.restoration.aligner import crop_face, estimate_alignment
from daefr_arch.restoration.detector import build_detector
from daefr_arch.restoration.face_network import FaceNetwork, StagePrecisions, stage_precisions
from tests.restoration.faces import FakeNetwork, astronaut, grace_hopper

CPU, CUDA = torch.device('cpu'), torch.device('cuda')


@pytest.fixture(scope='module')
def lq_faces() -> list[np.ndarray]:
    """Both portraits' faces (256, 256, 3) BGR, clean and degraded by Eq. 8."""
    detector = build_detector('retinaface_mobile0.25_onnx', device=CPU, offline=True)
    faces = []
    for seed, photo in enumerate((astronaut(), grace_hopper())):
        matrix = estimate_alignment(detector.detect(photo)[0].landmarks, 256)
        face = crop_face(photo, matrix, 256)
        params = draw_params(DegradationRanges(), np.random.default_rng([1, seed]))
        lq = degrade(face.astype(np.float32) / 255, params)
        faces += [face, np.clip(lq * 255, 0, 255).round().astype(np.uint8)]
    return faces


@pytest.fixture(params=['bf16', 'fp16'])
def fastest(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """A machine whose fastest precision is this one."""
    original = face_network.resolve_precision

    def resolve(precision: str, device: torch.device) -> str:
        return request.param if precision == 'auto' else original(precision, device)

    monkeypatch.setattr(face_network, 'resolve_precision', resolve)
    return request.param


def test_auto_is_never_silently_wrong(fastest: str, lq_faces: list[np.ndarray]) -> None:
    """Whatever is fastest, at least 99 % of a face's codes are float32's, and the faces are equal to 40 dB PSNR."""
    auto = FaceNetwork(load_network(offline=True), device='cpu', precision='auto')
    assert fastest in auto.precisions
    codes: list[torch.Tensor] = []
    decode = auto.network.decode

    def noted_decode(indices: torch.Tensor, *rest: object) -> torch.Tensor:
        codes.append(indices)
        return decode(indices, *rest)

    auto.network.decode = noted_decode
    faces = auto.restore(lq_faces)
    auto.precisions = stage_precisions('fp32', CPU)
    exact_faces = auto.restore(lq_faces)
    assert (codes[0] == codes[1]).float().mean(1).min() >= 0.99
    for face, exact in zip(faces, exact_faces, strict=True):
        error = np.square(face.astype(np.float64) - exact).mean()
        assert 10 * np.log10(255**2 / max(error, 1e-9)) >= 40


def test_codes_are_predicted_in_float32() -> None:
    assert stage_precisions('auto', CUDA) == StagePrecisions('fp16', 'fp32', 'fp16')
    assert stage_precisions('auto', CPU).code_prediction == 'fp32'
    assert stage_precisions('bf16', CPU) == StagePrecisions('bf16', 'bf16', 'bf16')


def test_auto_takes_unknown_networks_in_float32(fastest: str) -> None:
    assert set(FaceNetwork(FakeNetwork(), device='cpu', precision='auto').precisions) == {'fp32'}
