"""The shipped networks on a real face: nothing here depends on what a restoration network made."""

import itertools

import cv2
import numpy as np
import pytest
import torch
from basicsr.archs import build_network

from daefr_arch.data.degradation import compress_jpeg
from daefr_arch.errors import InputError
from daefr_arch.faces.fusion import GUESSED, KEPT, REPAIRED, SIDE, EvidenceFusion, FaceEvidence, distance_from_face
from daefr_arch.faces.torch_fusion import TorchFusion
from daefr_arch.restoration.face_restorer import load_fusion
from tests.faces.photos import astronaut


def face(size):
    """The astronaut's head and shoulders, sharp and hardly grainy at 256 pixels."""
    return cv2.resize(astronaut()[:400, 20:420], (size, size), interpolation=cv2.INTER_AREA)


@pytest.fixture(scope='module')
def sharp():
    return face(SIDE)


@pytest.fixture(scope='module')
def photos(sharp):
    """From untouched to hardly a face."""
    sizes = {'sharp': None, 'soft': 96, 'small': 40, 'tiny': 12}
    small = {
        name: size and cv2.resize(sharp, (size, size), interpolation=cv2.INTER_AREA) for name, size in sizes.items()
    }
    return {name: sharp if photo is None else cv2.resize(photo, (SIDE, SIDE)) for name, photo in small.items()}


@pytest.fixture(scope='module')
def stranger(sharp):
    """A network's face that is another one: the face mirrored, in other colours."""
    return np.ascontiguousarray(255 - (255 - sharp[:, ::-1]) // 10 * 9)


@pytest.fixture(scope='module')
def fusion():
    return load_fusion(offline=True)


def mean_change(result):
    return float(np.abs(result.change).mean())


def test_the_less_a_photo_shows_the_less_is_evidence(fusion, photos):
    evidence = fusion.assess(list(photos.values()))
    for finer, coarser in ((0, 2), (1, 2), (2, 3)):
        assert sum(evidence[finer].luma) > sum(evidence[coarser].luma) + 0.2
    assert min(evidence[0].luma[1:]) > 0.9
    assert [one.verdict for one in evidence] == [KEPT, REPAIRED, REPAIRED, GUESSED]
    assert evidence[2].luma[0] < evidence[2].luma[4]  # blur takes the fine bands


class ScreenSeeker:
    """Networks that take any pattern anywhere for a printed screen, which hides the two finest bands."""

    def __init__(self) -> None:
        self.looks = 0

    def evidence(self, photos):
        self.looks += len(photos)
        found = np.abs(np.diff(photos, axis=3)).max((1, 2, 3)) > 0.5
        sides = (128, 128, 64, 32, 16, 8)
        log_ratios = [np.full((len(photos), 2, side, side), -8, np.float32) for side in sides]
        for map_ in log_ratios[:2]:
            map_[found] = 4
        return log_ratios


def test_a_pattern_about_a_face_is_cloth_and_one_on_it_is_damage():
    y, x = np.mgrid[:SIDE, :SIDE]
    pattern = np.repeat(((x // 3 + y // 3) % 2 * 255).astype(np.uint8)[..., None], 3, axis=2)
    plain = np.full_like(pattern, 128)
    about = distance_from_face(SIDE)[..., None] > 1
    networks = ScreenSeeker()
    verdicts = [
        EvidenceFusion(networks).assess([crop])[0].verdict
        for crop in (plain, np.where(about, pattern, plain), np.where(about, plain, pattern), pattern)
    ]
    assert verdicts == [KEPT, KEPT, REPAIRED, REPAIRED]
    assert networks.looks == 1 + 2 + 1 + 1
    large = cv2.resize(np.where(about, pattern, plain), (512, 512), interpolation=cv2.INTER_NEAREST)
    assert EvidenceFusion(networks).assess([large])[0].verdict == KEPT


def test_a_kept_face_is_untouched(fusion, sharp, stranger):
    full = FaceEvidence(
        tuple(np.full((2, side, side), -8.0, np.float32) for side in (128, 128, 64, 32, 16, 8)), *[(1.0,) * 6] * 2, KEPT
    )
    for fidelity in (None, 0.5, 1):
        (result,) = fusion.fuse([sharp], [stranger], fidelity=fidelity, evidence=[full])
        assert np.array_equal(result.face, sharp)
        assert not result.change.any()
    (result,) = fusion.fuse([sharp], [stranger], fidelity=0, evidence=[full])
    assert np.abs(result.face.astype(int) - stranger).max() <= 1


def test_what_a_photo_lacks_is_put_in_and_what_it_shows_stays(fusion, photos, sharp):
    """With the true face as the network's the result is nearer to it than the photo is."""
    (result,) = fusion.fuse([photos['small']], [sharp])
    error, before = (np.abs(image.astype(float) - sharp).mean() for image in (result.face, photos['small']))
    assert error < 0.85 * before
    low, kept = (cv2.GaussianBlur(image, (0, 0), 16) for image in (result.face, photos['small']))
    assert np.abs(low.astype(float) - kept).mean() < 4


def test_change_is_what_leads_from_the_crop_to_the_face(fusion, photos, stranger):
    crop = photos['small'].astype(np.float32) + np.float32(0.3)
    (result,) = fusion.fuse([crop], [stranger])
    assert np.array_equal(result.face, np.rint(crop + result.change).astype(np.uint8))


def test_fidelity_runs_from_the_network_to_the_photo(fusion, photos, stranger):
    results = [fusion.fuse([photos['soft']], [stranger], fidelity=step)[0] for step in (0, 0.25, 0.5, 0.75, 1)]
    assert np.abs(results[0].face.astype(int) - stranger).max() <= 1
    softened = [cv2.GaussianBlur(result.change, (0, 0), 4) for result in results]  # without what a soft photo lacks
    changes = [float(np.abs(change).mean()) for change in softened]
    assert all(after < before + 0.1 for before, after in itertools.pairwise(changes))  # of 255
    assert changes[-1] < changes[2]
    (auto,) = fusion.fuse([photos['soft']], [stranger])
    assert np.array_equal(auto.face, results[2].face)


def test_a_little_blur_is_undone_from_the_photo_itself(fusion, sharp, stranger):
    soft = cv2.GaussianBlur(sharp, (0, 0), 0.8)
    (result,) = fusion.fuse([soft], [stranger])
    before, after = (np.square(image.astype(np.float32) - sharp).mean() for image in (soft, result.face))
    assert after < 0.85 * before


def test_faces_of_a_batch_do_not_know_each_other(fusion, photos, stranger):
    crops = [photos['small'], photos['tiny']]
    together = fusion.fuse(crops, [stranger, stranger])
    for crop, result in zip(crops, together, strict=True):
        (alone,) = fusion.fuse([crop], [stranger], evidence=fusion.assess([crop]))
        assert np.abs(alone.change - result.change).max() < 0.1


def test_a_large_face_keeps_its_grain_where_it_is_no_guess(fusion, photos):
    grain = np.random.default_rng(0).standard_normal((1024, 1024, 1)).astype(np.float32) * 6
    left = {}
    for name in ('sharp', 'tiny'):
        large = cv2.resize(photos[name], (1024, 1024), interpolation=cv2.INTER_CUBIC).astype(np.float32)
        crop = np.clip(large + grain, 0, 255)
        (result,) = fusion.fuse([crop], [face(SIDE)])
        assert result.face.shape == (1024, 1024, 3)
        before, after = (cv2.Laplacian(image.astype(np.float32), cv2.CV_32F).std() for image in (crop, result.face))
        left[name] = after / before
    assert left['sharp'] > 0.85
    assert left['tiny'] < 0.5


def test_guessed_surfaces_have_fine_grey_grain_and_the_networks_face_alone_has_none(fusion):
    flat = np.full((SIDE, SIDE, 3), 120, np.uint8)
    guess = FaceEvidence(
        tuple(np.full((2, side, side), 8.0, np.float32) for side in (128, 128, 64, 32, 16, 8)),
        *[(0.0,) * 6] * 2,
        GUESSED,
    )
    bare = EvidenceFusion(TorchFusion(build_network({'type': 'DAEFREvidence'})))
    (result,) = bare.fuse([flat], [flat], evidence=[guess])
    grain = result.face.astype(np.float32) - flat
    assert 1 < grain.std() < 3.5
    assert np.ptp(grain, axis=2).max() == 0
    assert cv2.GaussianBlur(grain, (0, 0), 4).std() < 0.2 * grain.std()
    (alone,) = bare.fuse([flat], [flat], fidelity=0, evidence=[guess])
    assert np.array_equal(alone.face, flat)


def test_a_network_larger_than_the_evidence_adds_its_fine_bands(fusion, photos):
    crop = cv2.resize(photos['tiny'], (512, 512))
    other = cv2.resize(face(220), (512, 512), interpolation=cv2.INTER_CUBIC)
    fine = cv2.Laplacian(fusion.fuse([crop], [other])[0].face.astype(np.float32), cv2.CV_32F).std()
    dots = other.copy()
    dots[::4, ::4] = 255
    assert cv2.Laplacian(fusion.fuse([crop], [dots])[0].face.astype(np.float32), cv2.CV_32F).std() > 2 * fine


def test_a_grey_photo_stays_grey(fusion, photos, stranger):
    grey = cv2.cvtColor(cv2.cvtColor(photos['tiny'], cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
    (result,) = fusion.fuse([grey], [stranger])
    assert (result.change == result.change[..., :1]).all()  # to the last bit: rounding would show the rest
    assert (np.ptp(result.face, axis=2) == 0).all()
    assert mean_change(result) > 5


def test_blocks_of_jpeg_are_no_evidence(fusion, sharp):
    blocks = np.rint(compress_jpeg(sharp.astype(np.float32) / 255, quality=12) * 255).astype(np.uint8)
    clean, damaged = fusion.assess([sharp, blocks])
    assert damaged.luma[0] < clean.luma[0] - 0.1
    assert damaged.verdict == REPAIRED


def test_without_a_harmoniser_the_mixture_is_bare(photos, stranger):
    torch.manual_seed(0)
    bare = EvidenceFusion(TorchFusion(build_network({'type': 'DAEFREvidence'})))
    (result,) = bare.fuse([photos['small']], [stranger], fidelity=0)
    assert np.abs(result.face.astype(int) - stranger).max() <= 1


def test_no_faces_are_no_work(fusion):
    assert fusion.assess([]) == []
    assert fusion.fuse([], []) == []


def test_a_crop_that_is_not_square_is_refused(fusion, sharp):
    with pytest.raises(InputError, match='expected aligned faces'):
        fusion.assess([sharp[:, :100]])
