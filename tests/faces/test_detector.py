import cv2
import numpy as np
import pytest
import torch
from facexlib.detection.retinaface import RetinaFace
from facexlib.detection.retinaface_utils import PriorBox

from daefr_arch.checkpoints import fetch, manifest, read_checkpoint
from daefr_arch.choices import EMBEDDED_DETECTOR
from daefr_arch.errors import InputError, WeightsError
from daefr_arch.faces.detector import DetectedFace, build_detector, center_face
from daefr_arch.faces.retinaface import MAX_PASS_PIXELS, RetinaFaceDetector, prior_boxes, pyramid
from daefr_arch.io.file_hash import file_sha256
from tests.faces.photos import ASTRONAUT_LANDMARKS, astronaut, grace_hopper


@pytest.fixture(scope='module')
def detector() -> RetinaFaceDetector:
    return build_detector('retinaface_mobile0.25_onnx')


@pytest.fixture(scope='module')
def facexlib_network() -> RetinaFace:
    network = RetinaFace('mobile0.25', device='cpu').eval()
    network.load_state_dict(read_checkpoint(fetch(EMBEDDED_DETECTOR)).state_dict)
    return network


def on_canvas(img: np.ndarray, scale: float, height: int, width: int) -> np.ndarray:
    """The photo, resized, in the middle of a grey canvas."""
    img = cv2.resize(img, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    canvas = np.full((height, width, 3), 127, np.uint8)
    y, x = (height - img.shape[0]) // 2, (width - img.shape[1]) // 2
    canvas[y : y + img.shape[0], x : x + img.shape[1]] = img
    return canvas


def test_the_embedded_weights_are_the_converted_ones_bit_by_bit(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The hash is that of the file whose tensors were equal to the published ONNX file's; it needs no download."""
    monkeypatch.setenv('DAEFR_HOME', str(tmp_path))
    path = fetch(EMBEDDED_DETECTOR, offline=True)
    assert (file_sha256(path), path.stat().st_size) == (
        manifest()[EMBEDDED_DETECTOR].sha256,
        manifest()[EMBEDDED_DETECTOR].size,
    )
    assert {tensor.dtype for tensor in read_checkpoint(path).state_dict.values()} == {torch.float32, torch.int64}


def test_anchors_are_facexlibs(facexlib_network: RetinaFace) -> None:
    for size in ((160, 224), (75, 101)):
        expected = PriorBox(facexlib_network.cfg, image_size=size).forward()
        torch.testing.assert_close(torch.from_numpy(prior_boxes(*size).copy()), expected)


@pytest.mark.parametrize('name', ['resnet50', 'mobile0.25'])
def test_folded_norms_change_nothing(name: str, tmp_path) -> None:
    """With statistics unlike the initial ones, which fold to nothing; the folded weights are rounded to float32."""
    torch.manual_seed(0)
    network = RetinaFace(name, device='cpu').eval()
    for norm in (module for module in network.modules() if isinstance(module, torch.nn.BatchNorm2d)):
        for tensor in (norm.weight.data, norm.running_var):
            tensor.uniform_(0.5, 1.5)
        for tensor in (norm.bias.data, norm.running_mean):
            tensor.normal_()
    torch.save(network.state_dict(), tmp_path / 'weights.pth')
    folded = build_detector(f'retinaface_{name}', weights=tmp_path / 'weights.pth').network.network.network
    assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in folded.modules())
    x = torch.randn(1, 3, 75, 101, dtype=torch.float64)
    with torch.no_grad():
        torch.testing.assert_close(folded.double()(x), network.double()(x), rtol=1e-3, atol=1e-4)


def test_one_pass_agrees_with_facexlib(detector: RetinaFaceDetector, facexlib_network: RetinaFace) -> None:
    with torch.no_grad():
        expected = facexlib_network.detect_faces(astronaut().copy(), conf_threshold=0.9)
    rows = detector._detect_at(astronaut(), 1.0, is_coarsest=True)
    surest = rows[rows[:, 4].argmax()]
    assert len(expected) == 1
    np.testing.assert_allclose(surest[:4], expected[0, :4], atol=1e-2)
    np.testing.assert_allclose(surest[5:], expected[0, 5:], atol=1e-2)


def test_finds_real_faces_once(detector: RetinaFaceDetector) -> None:
    (face,) = detector.detect(astronaut())
    assert face.score > 0.99
    assert np.abs(face.landmarks - ASTRONAUT_LANDMARKS).max() < 5
    assert len(detector.detect(grace_hopper())) == 1


def test_no_face(detector: RetinaFaceDetector) -> None:
    assert detector.detect(np.full((90, 140, 3), 128, np.uint8)) == []
    assert detector.detect(np.zeros((1, 1, 3), np.uint8)) == []


def test_very_small_face(detector: RetinaFaceDetector) -> None:
    """20 pixels, in a photo of a megapixel."""
    (face,) = detector.detect(on_canvas(astronaut(), 20 / 120, 900, 1200))
    assert 15 < face.size < 25


def test_face_that_fills_twelve_megapixels(detector: RetinaFaceDetector) -> None:
    face_only = astronaut()[20:220, 110:377]
    (face,) = detector.detect(cv2.resize(face_only, (4000, 3000), interpolation=cv2.INTER_CUBIC))
    assert 1500 < face.size < 2500


def test_degraded_face(detector: RetinaFaceDetector) -> None:
    blurred = cv2.GaussianBlur(grace_hopper(), (0, 0), 6)
    noisy = np.clip(blurred + np.random.default_rng(0).normal(0, 15, blurred.shape), 0, 255).astype(np.uint8)
    assert len(detector.detect(noisy)) == 1


def test_size_and_score_options() -> None:
    img = astronaut()
    assert build_detector('auto', min_face_size=300).detect(img) == []
    assert build_detector('auto', score_threshold=0.999999).detect(img) == []


def test_pyramid_covers_small_and_large() -> None:
    assert pyramid(500, 400)[0] == 2
    assert pyramid(3000, 4000)[0] == 1
    large = pyramid(8000, 10000)
    assert large[0] ** 2 * 8000 * 10000 == pytest.approx(MAX_PASS_PIXELS)
    assert large[-1] * 10000 <= 480


def test_choosing_one_face() -> None:
    faces = [
        DetectedFace((0, 0, 40, 40), 0.9, np.zeros((5, 2))),
        DetectedFace((90, 80, 110, 100), 0.9, np.zeros((5, 2))),
    ]
    assert center_face(faces, 200, 200) is faces[1]


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'name': 'YOLOv5l'}, 'expected one of auto, retinaface_resnet50'),
        ({'score_threshold': 1.5}, 'between 0 and 1'),
        ({'min_face_size': -1}, 'min_face_size'),
        ({'weights': 'x.pth'}, 'name the facexlib detector'),
    ],
)
def test_impossible_options(options: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        build_detector(**options)


def test_facexlib_weights_from_a_file(tmp_path, detector: RetinaFaceDetector, facexlib_network: RetinaFace) -> None:
    """facexlib's file has 'module.' before every name."""
    path = tmp_path / 'detection_mobilenet0.25_Final.pth'
    torch.save({f'module.{key}': value for key, value in facexlib_network.state_dict().items()}, path)
    given = build_detector('retinaface_mobile0.25', weights=path)
    np.testing.assert_allclose(given.detect(astronaut())[0].landmarks, detector.detect(astronaut())[0].landmarks)
    with pytest.raises(WeightsError, match='detector resnet50: not the weights of RetinaFace: missing'):
        build_detector('retinaface_resnet50', weights=path)


def test_offline_without_weights(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('DAEFR_HOME', str(tmp_path))
    with pytest.raises(WeightsError, match='retinaface_resnet50'):
        build_detector('retinaface_resnet50', offline=True)


def test_auto_prefers_weights_at_hand(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('DAEFR_HOME', str(tmp_path))
    network = RetinaFace('mobile0.25', device='cpu')
    torch.save(network.state_dict(), tmp_path / 'detection_mobilenet0.25_Final.pth')
    chosen = build_detector('auto', offline=True)
    key = 'ClassHead.0.conv1x1.weight'
    torch.testing.assert_close(chosen.network.network.network.state_dict()[key], network.state_dict()[key])


def test_wrong_photo(detector: RetinaFaceDetector) -> None:
    with pytest.raises(InputError, match='BGR uint8'):
        detector.detect(np.zeros((10, 10), np.uint8))
