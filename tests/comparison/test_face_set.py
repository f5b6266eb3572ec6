import cv2
import numpy as np
import pytest

from daefr_arch.comparison.face_set import write_face_set
from daefr_arch.errors import InputError
from daefr_arch.faces.aligner import crop_face, face_template
from daefr_arch.io.resize import resize_square
from tests.comparison.conftest import OneFace
from tests.faces.photos import ASTRONAUT_LANDMARKS, astronaut


def test_crops_photos_and_their_truth_by_one_alignment(photos, tmp_path):
    blurred, sharp = (sorted(folder.iterdir()) for folder in photos)
    faces = write_face_set(blurred, tmp_path / 'out', truths=sharp, detector=OneFace(), face_size=64)
    assert faces.names == ['astronaut_00', 'hopper_00']
    matrix = faces.photos[0].matrices[0]
    np.testing.assert_array_equal(faces.read('ground_truth', 'astronaut_00'), crop_face(astronaut(), matrix, 64))
    np.testing.assert_array_equal(
        faces.read('input', 'astronaut_00'), crop_face(cv2.imread(str(blurred[0])), matrix, 64)
    )
    aligned = ASTRONAUT_LANDMARKS @ matrix[:, :2].T + matrix[:, 2]
    assert np.abs(aligned - face_template(64)).max() < 4  # her mouth lies higher than the template's


def test_aligned_faces_are_resized(photos, tmp_path):
    faces = write_face_set(sorted(photos[0].iterdir())[:1], tmp_path / 'out', face_size=64)
    assert faces.names == ['astronaut']
    assert faces.read('input', 'astronaut').shape == (64, 64, 3)
    assert not faces.has_truth
    assert not (tmp_path / 'out' / 'ground_truth').exists()


def test_photos_without_a_face_are_named(photos, tmp_path, caplog):
    cv2.imwrite(str(photos[0] / 'black.png'), np.zeros((64, 64, 3), np.uint8))
    faces = write_face_set(sorted(photos[0].iterdir()), tmp_path / 'out', detector=OneFace(), face_size=32)
    assert faces.names == ['astronaut_00', 'hopper_00']
    assert 'black.png: no face was found' in caplog.text
    with pytest.raises(InputError, match='no face was found in any'):
        write_face_set([photos[0] / 'black.png'], tmp_path / 'out', detector=OneFace())


def test_inputs_that_do_not_fit(photos, tmp_path):
    blurred = sorted(photos[0].iterdir())
    with pytest.raises(InputError, match='same name but another extension: astronaut'):
        write_face_set([blurred[0], blurred[0].with_suffix('.jpg')], tmp_path / 'out')
    with pytest.raises(InputError, match=r'hopper\.png'):
        write_face_set(blurred, tmp_path / 'out', truths=[photos[1] / 'astronaut.png'])
    cv2.imwrite(str(photos[1] / 'astronaut.png'), astronaut()[:300])
    with pytest.raises(InputError, match=r'ground truth of its size \(512, 512\), got \(300, 512\)'):
        write_face_set(blurred, tmp_path / 'out', truths=sorted(photos[1].iterdir()), detector=OneFace())


def test_resizing_keeps_the_mean_and_leaves_the_size_alone():
    face = astronaut()
    assert resize_square(face, 512) is face
    for size in (128, 700):
        resized = resize_square(face, size)
        assert resized.shape == (size, size, 3)
        assert abs(resized.mean() - face.mean()) < 1
