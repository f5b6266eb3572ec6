import cv2
import numpy as np
import pytest

from daefr_arch.errors import InputError
from daefr_arch.metrics.face_embedding import build_embedder
from tests.benchmarks.evidence_table import DEGRADATIONS, degraded, measure, read_faces, sharpness, table
from tests.data.faces import face


@pytest.fixture(scope='module')
def truth():
    return face(256)


def test_photos_get_worse_from_row_to_row_and_stay_the_same(truth):
    errors = [np.abs(degraded(truth, name, 3).astype(int) - truth).mean() for name in reversed(DEGRADATIONS)]
    assert errors[0] == 0
    assert errors[1] < errors[2] < errors[3]
    assert np.array_equal(degraded(truth, 'heavy', 3), degraded(truth, 'heavy', 3))
    assert not np.array_equal(degraded(truth, 'heavy', 3), degraded(truth, 'heavy', 4))


def test_measures_of_a_face_and_of_a_soft_one(truth):
    embedder = build_embedder('dlib')
    identity, psnr, sharp, niqe = measure([truth], [truth], embedder)
    assert (identity, sharp) == pytest.approx((1, 1))
    assert psnr == float('inf')
    soft = measure([cv2.GaussianBlur(truth, (0, 0), 2)], [truth], embedder)
    assert soft[0] < 1
    assert soft[1] < 35
    assert soft[2] < 0.2
    assert soft[3] > niqe
    assert sharpness(truth // 2) == pytest.approx(sharpness(truth) / 4, rel=0.1)


def test_the_table_has_a_row_for_each_degradation_and_method(truth, capsys):
    lines = table(
        [truth], {'photo': list, 'mirrored': lambda photos: [p[:, ::-1].copy() for p in photos]}, build_embedder('dlib')
    )
    assert len(lines) == 1 + 2 * len(DEGRADATIONS)
    assert lines[-2].startswith('| clean | photo | 1.000 | inf | 1.00 |')
    assert capsys.readouterr().out.count('mirrored') == len(DEGRADATIONS)


def test_faces_come_from_a_folder_or_a_list(truth, tmp_path):
    cv2.imwrite(str(tmp_path / 'a.png'), truth)
    cv2.imwrite(str(tmp_path / 'b.png'), truth[::-1])
    (tmp_path / 'list.txt').write_text('b.png\n')
    assert len(read_faces(tmp_path)) == 2
    (only,) = read_faces(tmp_path / 'list.txt')
    assert np.array_equal(only, truth[::-1])
    (tmp_path / 'list.txt').write_text('')
    with pytest.raises(InputError, match='no faces'):
        read_faces(tmp_path / 'list.txt')
