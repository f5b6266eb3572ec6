import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from daefr_arch import DAEFRRestorer
from daefr_arch.errors import InputError, WeightsError
from daefr_arch.faces.detector import DetectedFace
from daefr_arch.faces.fusion import EvidenceFusion
from daefr_arch.faces.torch_fusion import TorchFusion
from daefr_arch.restoration.restorer import DAEFRRestorer as Restorer
from daefr_arch.runtime.face_network import FaceNetwork
from tests.faces.photos import (
    ASTRONAUT_LANDMARKS,
    FakeNetwork,
    ShownShare,
    all_shown,
    astronaut,
    grace_hopper,
    nothing_shown,
)


class FakeDetector:
    """Finds the astronaut's face at the given shifts of a photo."""

    def __init__(self, *shifts: tuple[float, float]) -> None:
        self.shifts = shifts

    def detect(self, img: np.ndarray) -> list[DetectedFace]:
        return [
            DetectedFace((178 + x, 57 + y, 273 + x, 177 + y), 0.99, ASTRONAUT_LANDMARKS + np.array([x, y]))
            for x, y in self.shifts
        ]


def restorer(network: FakeNetwork | None = None, *shifts: tuple[float, float], **options: object) -> Restorer:
    """A restorer without weights: its network, of 64 pixels, changes the brightness of faces that show nothing."""
    options = {'device': 'cpu', 'precision': 'fp32', 'fusion': nothing_shown()} | options
    options = {'detector': FakeDetector(*(shifts or [(0, 0)]))} | options
    return DAEFRRestorer(network or FakeNetwork(), **options)


def degraded(img: np.ndarray) -> np.ndarray:
    """A quarter of the size, noise, JPEG."""
    small = cv2.resize(img, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA).astype(np.float32)
    noisy = np.clip(small + np.random.default_rng(0).normal(0, 6, small.shape), 0, 255).astype(np.uint8)
    return cv2.imdecode(cv2.imencode('.jpg', noisy, [cv2.IMWRITE_JPEG_QUALITY, 60])[1], cv2.IMREAD_COLOR)


@pytest.fixture(scope='module')
def default_restorer() -> Restorer:
    return DAEFRRestorer(detector='retinaface_mobile0.25_onnx', device='cpu', precision='fp32', offline=True)


@pytest.mark.parametrize('photo', [astronaut(), grace_hopper()], ids=['astronaut', 'grace_hopper'])
def test_default_model_on_degraded_photos(default_restorer: Restorer, photo: np.ndarray) -> None:
    """Sharper than the enlarged input, and nearer to the undegraded photo than the input and the network's face are."""
    lq = degraded(photo)
    crops, faces, restored = default_restorer.enhance(lq)
    assert len(crops) == len(faces) == 1
    assert crops[0].shape == faces[0].shape == (256, 256, 3)
    assert restored.shape == (2 * lq.shape[0], 2 * lq.shape[1], 3)
    sharpness = [
        cv2.Laplacian(cv2.cvtColor(face, cv2.COLOR_BGR2GRAY), cv2.CV_64F).var() for face in (crops[0], faces[0])
    ]
    assert sharpness[1] > 2 * sharpness[0]
    report = default_restorer.last_report
    assert report.status == 'restored'
    assert report.faces[0].score > 0.9
    assert report.faces[0].status in ('repaired', 'guessed')
    json.dumps(report.as_dict(), allow_nan=False)
    x0, y0, x1, y1 = (round(2 * value) for value in report.faces[0].box)
    truth = cv2.resize(photo, restored.shape[1::-1], interpolation=cv2.INTER_AREA)[y0:y1, x0:x1]
    alone = default_restorer.enhance(lq, weight=0)[2]
    quality = [cv2.PSNR(truth, whole[y0:y1, x0:x1]) for whole in (restored, alone)]
    assert quality[0] > quality[1] + 0.5


def test_a_sharp_photo_hardly_changes(default_restorer: Restorer) -> None:
    """Nothing to restore but what JPEG did: the network's face alone changes a dozen times as much."""
    restorer_ = DAEFRRestorer(
        detector=default_restorer.detector, device='cpu', precision='fp32', offline=True, upscale=1
    )
    *_, restored = restorer_.enhance(grace_hopper())
    *_, network = restorer_.enhance(grace_hopper(), weight=0)
    errors = [float(((photo.astype(float) - grace_hopper()) ** 2).mean()) for photo in (restored, network)]
    assert errors[0] < errors[1] / 5


def test_kept_faces_cost_no_pass() -> None:
    network = FakeNetwork(brightness=0.5)
    some = restorer(network, fusion=all_shown(), upscale=1)
    crops, faces, restored = some.enhance(astronaut())
    assert network.batches == []
    np.testing.assert_array_equal(restored, astronaut())
    np.testing.assert_array_equal(crops[0], faces[0])
    face = some.last_report.faces[0]
    assert face.status == 'kept'
    assert min(face.evidence['luma'] + face.evidence['chroma']) > 0.97
    _, faces, _ = some.enhance(astronaut(), weight=0)  # asked for, the network is asked
    assert network.batches == [1]
    assert faces[0].mean() > crops[0].mean() + 20


@pytest.mark.parametrize('side', [300, 256, 512])
def test_an_aligned_face_keeps_its_size(side: int) -> None:
    img = cv2.resize(astronaut(), (side, side))
    some = restorer(FakeNetwork(brightness=0.5))
    crops, faces, restored = some.enhance(img, has_aligned=True)
    assert restored is None
    assert crops[0].shape == faces[0].shape == (side, side, 3)
    assert some.last_report.faces[0].box is None
    np.testing.assert_array_equal(crops[0], img)


def test_an_aligned_face_must_be_square() -> None:
    with pytest.raises(InputError, match='got 250x249 pixels: leave out has_aligned'):
        restorer().enhance(astronaut()[:249, :250], has_aligned=True)


def test_a_large_face_is_restored_at_its_own_resolution() -> None:
    """What is finer than the network's pixels is the photo's."""
    large = cv2.resize(astronaut(), None, fx=4, fy=4, interpolation=cv2.INTER_CUBIC)

    class Large(FakeDetector):
        def detect(self, img: np.ndarray) -> list[DetectedFace]:
            (face,) = super().detect(img)
            return [DetectedFace(tuple(4 * v for v in face.box), face.score, 4 * face.landmarks)]

    some = restorer(detector=Large((0, 0)), upscale=1)
    crops, faces, restored = some.enhance(large)
    assert crops[0].shape == faces[0].shape == (1024, 1024, 3)
    assert restored.shape == large.shape


@pytest.mark.parametrize('turns', [1, 2, 3])
def test_a_turned_photo_is_restored_like_the_upright_one(default_restorer: Restorer, turns: int) -> None:
    photo = degraded(grace_hopper())
    upright = default_restorer.enhance(photo)
    turned = default_restorer.enhance(np.ascontiguousarray(np.rot90(photo, turns)))
    assert cv2.PSNR(turned[0][0], upright[0][0]) > 35
    assert cv2.PSNR(turned[1][0], upright[1][0]) > 28
    assert cv2.PSNR(np.ascontiguousarray(np.rot90(turned[2], -turns)), upright[2]) > 35


def test_a_dark_photo_stays_dark() -> None:
    """The network sees a normal face, and the photo keeps its exposure."""
    network = FakeNetwork(brightness=0.4)
    dark = np.rint(astronaut() * 0.25).astype(np.uint8)
    crops, faces, _ = restorer(network).enhance(dark)
    assert 4 < faces[0].mean() - crops[0].mean() < 25  # 51 levels at normal exposure


def test_faces_of_several_photos_share_batches() -> None:
    network = FakeNetwork()
    several = restorer(network, (0, 0), (100, 100), (-60, 40), batch_size=4)
    photos = [astronaut(), astronaut()[:300], astronaut()]
    assert not several.shares_batches  # a CPU
    several.enhance_batch(photos)
    assert network.batches == [3, 3, 3]
    network.batches.clear()
    several.shares_batches = True
    results = several.enhance_batch(photos)
    assert network.batches == [4, 4, 1]
    assert [len(faces) for _, faces, _ in results] == [3, 3, 3]
    assert len(several.last_reports) == 3
    alone = restorer(None, (0, 0), (100, 100), (-60, 40)).enhance(astronaut()[:300])
    np.testing.assert_array_equal(results[1][2], alone[2])


def test_no_face() -> None:
    class Nobody:
        def detect(self, img: np.ndarray) -> list[DetectedFace]:
            return []

    without = DAEFRRestorer(FakeNetwork(), detector=Nobody(), device='cpu', precision='fp32', fusion=nothing_shown())
    crops, faces, restored = without.enhance(astronaut())
    assert crops == faces == []
    np.testing.assert_array_equal(restored, cv2.resize(astronaut(), (1024, 1024), interpolation=cv2.INTER_LANCZOS4))
    assert without.last_report.status == 'no_face'


def test_grey_photos_stay_grey() -> None:
    class Tint(FakeNetwork):
        def forward(self, x, s_lq=None):
            return x + torch.tensor([0.2, 0, -0.2]).view(1, 3, 1, 1), None, None

    grey = cv2.cvtColor(astronaut(), cv2.COLOR_BGR2GRAY)
    _, faces, restored = restorer(Tint()).enhance(grey)
    assert (np.ptp(faces[0], axis=2) == 0).all()
    assert (np.ptp(restored, axis=2) == 0).all()
    assert np.ptp(restorer(Tint()).enhance(astronaut())[1][0], axis=2).max() > 0


def test_sixteen_bit_photo() -> None:
    _, _, restored = restorer(FakeNetwork(brightness=0.3), upscale=1).enhance(astronaut().astype(np.uint16) * 257)
    eight = restorer(FakeNetwork(brightness=0.3), upscale=1).enhance(astronaut())[2]
    assert restored.dtype == np.uint16
    assert np.abs(restored / 257 - eight).max() <= 2  # the crops differ by rounding


def test_center_face_and_paste_back() -> None:
    some = restorer(None, (-150, 0), (30, 120), (200, 250))
    crops, faces, restored = some.enhance(astronaut(), only_center_face=True, paste_back=False)
    assert restored is None
    assert len(crops) == len(faces) == len(some.last_report.faces) == 1
    assert some.last_report.faces[0].box[:2] == (208, 177)


def test_memory_halves_the_batch(caplog: pytest.LogCaptureFixture) -> None:
    class Small(FakeNetwork):
        def forward(self, x, s_lq=None):
            if len(x) > 2:
                raise torch.OutOfMemoryError('of the test')
            return super().forward(x, s_lq)

    network = Small()
    shifts = [(20 * i, 15 * i) for i in range(7)]
    _, faces, _ = restorer(network, *shifts, batch_size=8).enhance(astronaut())
    assert len(faces) == 7
    assert network.batches == [1] * 7  # seven faces, halved to three, halved to one
    assert 'out of memory' in caplog.text


def test_memory_for_one_face_is_an_error() -> None:
    class Large(FakeNetwork):
        def forward(self, x, s_lq=None):
            raise torch.OutOfMemoryError('of the test')

    with pytest.raises(torch.OutOfMemoryError):
        restorer(Large()).enhance(astronaut())


def test_non_finite_output_is_tried_again_in_float32() -> None:
    class OverflowsInHalf(FakeNetwork):
        def forward(self, x, s_lq=None):
            half = torch.is_autocast_enabled('cpu')
            return (x * torch.inf if half else x), None, None

    _, again, _ = restorer(OverflowsInHalf(), precision='bf16').enhance(astronaut())
    _, expected, _ = restorer().enhance(astronaut())
    np.testing.assert_array_equal(again[0], expected[0])


def test_failed_face_is_never_returned() -> None:
    """One face of two fails: it is in neither list, and the photo keeps its own pixels there."""
    photo = astronaut().copy()
    photo[250:] = 255  # the second face is white
    partly = restorer(FakeNetwork(brightness=0.5, nan_above=0.9), (0, 0), (100, 300), upscale=1)
    crops, faces, restored = partly.enhance(photo)
    assert len(crops) == len(faces) == 1
    report = partly.last_report
    assert [face.status for face in report.faces] == ['guessed', 'failed']
    assert report.status == 'partial'
    assert 'not finite' in report.faces[1].warnings[-1]
    assert (restored[300:] == 255).all()
    _, faces, restored = restorer(FakeNetwork(nan_above=-1), upscale=1).enhance(photo)
    assert faces == []
    np.testing.assert_array_equal(restored, photo)


def test_evidence_that_is_not_finite_is_no_evidence() -> None:
    failing = restorer(fusion=EvidenceFusion(TorchFusion(ShownShare(float('nan')))), upscale=1)
    _, faces, restored = failing.enhance(astronaut())
    assert faces == []
    np.testing.assert_array_equal(restored, astronaut())
    (face,) = failing.last_report.faces
    assert (face.status, face.evidence) == ('failed', {})
    json.dumps(failing.last_report.as_dict(), allow_nan=False)


def test_the_report_says_which_precision_it_was() -> None:
    tried = restorer(FakeNetwork(), precision='bf16')
    tried.enhance(astronaut())
    assert tried.last_report.precision == 'bf16'


def test_the_photo_given_is_not_painted_into() -> None:
    photo = astronaut().copy()
    _, _, restored = restorer(FakeNetwork(brightness=0.5), upscale=1).enhance(photo)
    assert (restored != photo).any()
    np.testing.assert_array_equal(photo, astronaut())


def test_weight_goes_from_the_network_to_the_photo() -> None:
    some = restorer(FakeNetwork(brightness=0.4), fusion=EvidenceFusion(TorchFusion(ShownShare(-1.0))))
    faces = [some.enhance(astronaut(), weight=weight)[1][0].mean() for weight in (0, 0.25, 0.5, None, 1)]
    crop = some.enhance(astronaut())[0][0].mean()
    assert faces[0] > faces[1] > faces[2] == faces[3] > faces[4] > crop


def test_a_guess_is_called_one() -> None:
    some = restorer()
    some.enhance(astronaut())
    face = some.last_report.faces[0]
    assert face.status == 'guessed'
    assert 'mostly a guess' in face.warnings[0]
    assert max(face.evidence['luma']) < 0.01


def test_identity_in_the_report(tmp_path: Path) -> None:
    class MeanColour:
        protocol = 'mean colour'

        def embed(self, face: np.ndarray) -> np.ndarray:
            mean = face.mean(axis=(0, 1))
            return mean / np.linalg.norm(mean)

    some = restorer()
    some.enhance(astronaut())
    assert some.last_report.faces[0].identity is None
    some.embedder = MeanColour()
    some.enhance(astronaut())
    assert some.last_report.faces[0].identity == pytest.approx(1)
    with pytest.raises(WeightsError, match=r'not_there\.onnx'):
        restorer(None, (0, 0), identity_weights=tmp_path / 'not_there.onnx')


def test_turned_face_warns() -> None:
    class Profile(FakeDetector):
        def detect(self, img: np.ndarray) -> list[DetectedFace]:
            (face,) = super().detect(img)
            centre = face.landmarks.mean(axis=0)
            narrow = (face.landmarks - centre) * [0.4, 1] + centre
            narrow[2, 0] -= 15
            return [DetectedFace(face.box, face.score, narrow)]

    some = DAEFRRestorer(
        FakeNetwork(), detector=Profile((0, 0)), device='cpu', precision='fp32', fusion=nothing_shown()
    )
    some.enhance(astronaut())
    assert 'turned' in some.last_report.faces[0].warnings[0]


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'upscale': 0}, 'upscale'),
        ({'mask': 'oval'}, 'feather, parse'),
        ({'bg_upsampler': 'esrgan'}, 'realesrgan'),
        ({'precision': 'half'}, 'auto, fp32, tf32, bf16, fp16'),
        ({'device': 'cuda:77'}, 'cuda:77'),
        ({'batch_size': 0}, 'batch_size'),
    ],
)
def test_impossible_options(options: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        restorer(None, (0, 0), **options)


@pytest.mark.parametrize(
    'photo', [np.zeros((9, 9, 3), np.float32), np.zeros((9, 9, 4), np.uint8), np.zeros((0, 9, 3), np.uint8), 'a.jpg']
)
def test_not_a_photo(photo: object) -> None:
    with pytest.raises(InputError, match='photo'):
        restorer().enhance(photo)


def test_weight_out_of_range() -> None:
    with pytest.raises(InputError, match='between 0 and 1'):
        restorer().enhance(astronaut(), weight=1.5)


def test_face_network_refuses_other_sizes() -> None:
    with pytest.raises(InputError, match=r'\(64, 64, 3\)'):
        FaceNetwork(FakeNetwork(), device='cpu').restore([np.zeros((32, 32, 3), np.uint8)])


def test_a_face_without_an_alignment_is_left_out_and_the_others_are_restored() -> None:
    class OnePoint(FakeDetector):
        def detect(self, img: np.ndarray) -> list[DetectedFace]:
            (face,) = super().detect(img)
            return [DetectedFace(face.box, face.score, np.full((5, 2), 200.0)), face]

    some = DAEFRRestorer(
        FakeNetwork(), detector=OnePoint((0, 0)), device='cpu', precision='fp32', fusion=nothing_shown()
    )
    crops, faces, restored = some.enhance(astronaut())
    assert len(crops) == len(faces) == len(some.last_report.faces) == 1
    assert restored.shape == (1024, 1024, 3)
    assert 'a face was left out: no similarity maps the landmarks' in some.last_report.warnings[0]
