import csv

import cv2
import numpy as np
import pytest

from daefr_arch.data.degradation import DegradationParams, DegradationRanges, degrade
from daefr_arch.data.test_set import eq8, turbulence, write_test_set
from daefr_arch.data.turbulence import TurbulenceConditions, apply_turbulence
from daefr_arch.errors import InputError, UsageError
from tests.data.faces import face

EQ8 = eq8(DegradationRanges())
# of face 'b.png' and seed 0: what is exact, the factor r, the mean BGR of the four quarters
GOLDEN = (
    ('41', '814234309', '34'),
    7.99702811714159,
    [[138, 157, 165], [139, 154, 163], [105, 120, 130], [152, 161, 171]],
)


@pytest.fixture
def folder(tmp_path):
    for name in ('b.png', 'sub/a.png', 'sub/a.bmp'):
        path = tmp_path / 'faces' / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(cv2.imencode(path.suffix, face(80))[1].tobytes())
    return tmp_path / 'faces'


def rows(output):
    with (output / 'params.csv').open(newline='') as file:
        return {row['name']: row for row in csv.DictReader(file)}


def test_writes_pairs_and_the_parameters_that_made_them(folder, tmp_path):
    output = tmp_path / 'out'
    assert write_test_set(folder, output, EQ8, seed=3, size=64) == {}
    assert list(rows(output)) == ['b.png', 'sub/a.bmp.png', 'sub/a.png.png']
    types = DegradationParams.__annotations__
    for name, row in rows(output).items():
        gt, lq = (cv2.imread(str(output / part / name)) for part in ('gt', 'lq'))
        np.testing.assert_array_equal(gt, cv2.resize(face(80), (64, 64), interpolation=cv2.INTER_AREA))
        params = DegradationParams(**{key: types[key](row[key]) for key in types})
        np.testing.assert_array_equal(lq, np.rint(degrade(gt.astype(np.float32) / 255, params) * 255))


def test_seed_and_name_decide_not_the_other_files(folder, tmp_path):
    write_test_set(folder, tmp_path / 'all', EQ8, seed=3, size=32)
    write_test_set(folder, tmp_path / 'other', EQ8, seed=4, size=32)
    (folder / 'sub/a.bmp').unlink()
    (folder / '0.png').write_bytes((folder / 'b.png').read_bytes())
    write_test_set(folder, tmp_path / 'some', EQ8, seed=3, size=32)
    every, other, some = (rows(tmp_path / name) for name in ('all', 'other', 'some'))
    assert every['b.png'] == some['b.png']
    assert every['b.png'] != other['b.png']
    assert (tmp_path / 'all/lq/b.png').read_bytes() == (tmp_path / 'some/lq/b.png').read_bytes()
    assert some['0.png']['noise_seed'] != some['b.png']['noise_seed']


def test_golden_parameters_and_picture(folder, tmp_path):
    write_test_set(folder, tmp_path / 'out', EQ8, seed=0, size=64)
    row = rows(tmp_path / 'out')['b.png']
    assert (row['kernel_size'], row['noise_seed'], row['jpeg_quality']) == GOLDEN[0]
    assert float(row['downsample']) == pytest.approx(GOLDEN[1], rel=1e-12)
    lq = cv2.imread(str(tmp_path / 'out/lq/b.png'))
    # other versions of OpenCV round JPEG otherwise: grey levels, not bits
    np.testing.assert_allclose(cv2.resize(lq, (2, 2), interpolation=cv2.INTER_AREA).reshape(4, 3), GOLDEN[2], atol=4)


def test_turbulence(folder, tmp_path):
    conditions = TurbulenceConditions(path_length=20_000)
    write_test_set(folder, tmp_path / 'out', turbulence(conditions), seed=1, size=64)
    row = rows(tmp_path / 'out')['b.png']
    assert (float(row['path_length']), float(row['d_over_r0'])) == (20_000, conditions.d_over_r0)
    gt, lq = (cv2.imread(str(tmp_path / 'out' / part / 'b.png')) for part in ('gt', 'lq'))
    expected = apply_turbulence(gt.astype(np.float32) / 255, conditions, seed=int(row['seed']))
    np.testing.assert_array_equal(lq, np.rint(expected * 255))


def test_unreadable_faces_are_left_out_and_named(folder, tmp_path):
    (folder / 'b.png').write_bytes(b'no image')
    failed = write_test_set(folder, tmp_path / 'out', EQ8, seed=0, size=None)
    assert list(failed) == ['b.png']
    assert 'b.png' in failed['b.png']
    assert cv2.imread(str(tmp_path / 'out/gt/sub/a.png.png')).shape == (80, 80, 3)
    for path in (folder / 'sub').iterdir():
        path.write_bytes(b'no image')
    with pytest.raises(InputError, match='none of its 3 images'):
        write_test_set(folder, tmp_path / 'none', EQ8, seed=0)


def test_an_old_test_set_is_not_mixed_with_a_new_one(folder, tmp_path):
    (tmp_path / 'out').mkdir()
    (tmp_path / 'out' / 'old.png').touch()
    with pytest.raises(UsageError, match='not empty'):
        write_test_set(folder, tmp_path / 'out', EQ8, seed=0)
