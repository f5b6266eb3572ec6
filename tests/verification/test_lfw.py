import pytest

from daefr_arch.errors import InputError
from daefr_arch.verification.lfw import FacePair, find_face, read_pairs

PAIRS = 'Ann\t1\t2\nBo\t1\t3\nAnn\t1\tBo\t2\nCy\t4\tAnn\t2\nBo\t1\t2\nCy\t1\t2\nAnn\t3\tCy\t1\nBo\t2\tCy\t2\n'


@pytest.fixture
def write(tmp_path):
    def _write(text):
        path = tmp_path / 'pairs.txt'
        path.write_text(text)
        return path

    return _write


@pytest.mark.parametrize('separator', ['\t', ' '])
def test_two_folds_of_two_pairs(write, separator):
    pairs = read_pairs(write(f'2\t2\n{PAIRS}'.replace('\t', separator)))
    assert [pair.fold for pair in pairs] == [0] * 4 + [1] * 4
    assert [pair.same for pair in pairs] == [True, True, False, False] * 2
    assert pairs[3] == FacePair(('Cy', 4), ('Ann', 2), 0)


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('', 'line 1: expected the number of folds'),
        ('Ann 1 2\n', 'line 1: expected the number of folds'),
        (f'2 3\n{PAIRS}', '2 folds of 2 x 3 pairs, 12 lines, got 8'),
        ('1 1\nAnn 1 Bo 2\nAnn 1 2\n', 'line 2: expected a pair as `name 1 4`'),
        ('1 1\nAnn 1 2\nAnn one Bo 2\n', 'line 3: expected a pair as `name 3 other 2`'),
    ],
)
def test_broken_files(write, text, message):
    with pytest.raises(InputError, match=message):
        read_pairs(write(text))


def test_files_of_other_editors(tmp_path):
    plain = tmp_path / 'plain.txt'
    plain.write_text(f'2\t2\n{PAIRS}')
    edited = tmp_path / 'edited.txt'
    lines = f'2\t2\n{PAIRS}'.splitlines()
    edited.write_bytes('\ufeff'.encode() + '\r\n'.join(f' {line}\t ' for line in lines).encode() + b'\r\n\r\n')
    assert read_pairs(edited) == read_pairs(plain)


def test_no_file(tmp_path):
    with pytest.raises(InputError, match='cannot be read'):
        read_pairs(tmp_path / 'none.txt')


def test_images_of_any_extension(tmp_path):
    (tmp_path / 'Ann').mkdir()
    (tmp_path / 'Ann' / 'Ann_0012.webp').touch()
    assert find_face(tmp_path, 'Ann', 12).name == 'Ann_0012.webp'
    (tmp_path / 'Ann' / 'Ann_0003.JPG').touch()
    assert find_face(tmp_path, 'Ann', 3).name == 'Ann_0003.JPG'
    (tmp_path / 'Ann' / 'Ann_0001.txt').touch()
    with pytest.raises(InputError, match='Ann_0001: no image'):
        find_face(tmp_path, 'Ann', 1)
    with pytest.raises(InputError, match='Bo_0001: no image'):
        find_face(tmp_path, 'Bo', 1)
