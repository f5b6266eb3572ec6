from pathlib import Path

import pytest

from daefr_arch.errors import InputError
from daefr_arch.io.pairing import pair_by_name


def paths(folder, *names):
    return [Path(folder, name) for name in names]


def test_restored_faces_pair_with_their_photo():
    pairs = pair_by_name(paths('out', 'b_00.png', 'a.png'), paths('gt', 'a.jpg', 'b.webp'))
    assert [(result.name, truth.name) for result, truth in pairs] == [('a.png', 'a.jpg'), ('b_00.png', 'b.webp')]


def test_a_name_that_ends_like_a_face_is_paired_with_its_equal():
    pairs = pair_by_name(
        paths('out', 'a_00.png', 'a_00_00.png'), paths('gt', 'a.png', 'a_00.png')[1:] + paths('gt', 'a_00_00.png')
    )
    assert [(result.name, truth.name) for result, truth in pairs] == [
        ('a_00.png', 'a_00.png'),
        ('a_00_00.png', 'a_00_00.png'),
    ]


def test_missing_and_extra_files_are_all_named():
    with pytest.raises(InputError) as error:
        pair_by_name(paths('out', 'a.png', 'z.png', 'a_00.png'), paths('gt', 'a.png', 'b.png', 'c.png'))
    message = str(error.value)
    assert '1 results without ground truth: z.png' in message
    assert '2 ground truths without result: b.png, c.png' in message
    assert '1 ground truths with two results: a.png and a_00.png' in message


def test_a_second_face_is_extra():
    with pytest.raises(InputError, match=r'a_01\.png'):
        pair_by_name(paths('out', 'a_00.png', 'a_01.png'), paths('gt', 'a.png'))


def test_ground_truths_of_one_name():
    with pytest.raises(InputError, match='another extension: a'):
        pair_by_name(paths('out', 'a.png'), paths('gt', 'a.png', 'a.jpg'))
