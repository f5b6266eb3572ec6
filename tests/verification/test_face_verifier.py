"""A tiny LFW of two people: a real photo each, and versions of it."""

import csv
import io
import json
from pathlib import Path

import cv2
import matplotlib
import numpy as np
import pytest
from skimage.data import astronaut

from daefr_arch.errors import InputError
from daefr_arch.faces.detector import build_detector
from daefr_arch.metrics.face_embedding import DlibEmbedder
from daefr_arch.verification.face_verifier import FaceVerifier
from daefr_arch.verification.lfw import FacePair, read_pairs

PAIRS = """2 2
Eileen 1 2
Grace 1 2
Eileen 1 Grace 2
Eileen 3 Grace 1
Eileen 1 3
Grace 2 3
Eileen 2 Grace 1
Eileen 3 Grace 3
"""


@pytest.fixture(scope='module')
def tiny_lfw(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp('lfw')
    hopper = cv2.imread(str(Path(matplotlib.get_data_path(), 'sample_data', 'grace_hopper.jpg')))
    photos = {'Eileen': astronaut()[:250, 100:350, ::-1], 'Grace': cv2.resize(hopper, None, fx=0.5, fy=0.5)[:256]}
    for name, photo in photos.items():
        (folder / name).mkdir()
        versions = (photo, photo[:, ::-1], cv2.convertScaleAbs(cv2.GaussianBlur(photo, (0, 0), 1), alpha=0.8))
        for number, version in enumerate(versions, 1):
            cv2.imwrite(str(folder / name / f'{name}_{number:04d}.png'), version)
    (folder / 'pairs.txt').write_text(PAIRS)
    return folder


class MeanColour:
    """An embedder for which only the mean colour counts."""

    protocol = 'mean colour'

    def embed(self, face: np.ndarray) -> np.ndarray:
        colour = face.mean((0, 1))
        return colour / np.linalg.norm(colour)


class Blind:
    """A detector that finds nothing."""

    def detect(self, img):
        return []


class Invert:
    """A restorer that inverts the face."""

    def __init__(self):
        self.sizes = []

    def enhance(self, img, has_aligned, only_center_face, paste_back):
        self.sizes.append(img.shape)
        assert has_aligned
        assert not paste_back
        return [img], [255 - img], None


def test_people_are_told_apart(tiny_lfw):
    verifier = FaceVerifier(DlibEmbedder(), detector=build_detector(offline=True))
    report = verifier.run(tiny_lfw, read_pairs(tiny_lfw / 'pairs.txt'))
    assert report.accuracy.accuracies.tolist() == [1, 1]
    assert report.roc.auc == 1
    assert (report.pairs, report.images, report.undetected) == (8, 6, ())
    assert 'accuracy   100.00% ± 0.00' in report.to_text()
    assert json.loads(report.to_json())['tar_at_far'] == {'0.001': None, '0.01': None, '0.1': None}
    assert '- at FAR 0.1 (needs 10 pairs of two persons, here are 4)' in report.to_text()
    points = list(csv.reader(io.StringIO(report.roc_csv())))
    assert points[0] == ['threshold', 'far', 'tar']
    assert len(points) == 1 + len(report.roc.far)


def test_faces_pass_the_restorer(tiny_lfw):
    pairs = read_pairs(tiny_lfw / 'pairs.txt')
    restorer = Invert()
    plain = FaceVerifier(MeanColour(), face_size=64).run(tiny_lfw, pairs)
    restored = FaceVerifier(MeanColour(), restorer=restorer, face_size=64).run(tiny_lfw, pairs)
    assert restorer.sizes == [(64, 64, 3)] * 6
    assert not np.allclose(plain.accuracy.thresholds, restored.accuracy.thresholds)
    assert 'not restored' in plain.protocol
    assert 'aligned images, 64x64, restored' in restored.protocol


def test_images_without_a_face_count_and_are_named(tiny_lfw):
    report = FaceVerifier(MeanColour(), detector=Blind()).run(tiny_lfw, read_pairs(tiny_lfw / 'pairs.txt'))
    assert report.undetected[:2] == ('Eileen_0001.png', 'Eileen_0002.png')
    assert '6 images, 6 of them without a detected face' in report.to_text()


def test_a_missing_image_is_named(tiny_lfw):
    with pytest.raises(InputError, match='Eileen_0009'):
        FaceVerifier(MeanColour()).run(tiny_lfw, [FacePair(('Eileen', 9), ('Grace', 1), 0)])
