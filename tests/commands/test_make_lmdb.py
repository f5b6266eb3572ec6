import cv2
import pytest

from daefr_arch import cli
from tests.data.faces import face


@pytest.fixture
def folder(tmp_path):
    for i in range(2):
        (tmp_path / f'{i}.png').write_bytes(cv2.imencode('.png', face(32 + i))[1].tobytes())
    return tmp_path


def test_builds_and_verifies(folder):
    output = str(folder / 'faces.lmdb')
    assert cli.main(['make-lmdb', '-i', str(folder), '-o', output, '--size', '16']) == cli.OK
    assert cli.main(['make-lmdb', '-o', output, '--verify_only']) == cli.OK
    assert cli.main(['make-lmdb', '-i', str(folder), '-o', output]) == cli.USAGE


def test_unreadable_images_give_their_own_exit_code(folder, caplog):
    (folder / 'broken.png').write_bytes(b'no image')
    assert cli.main(['make-lmdb', '-i', str(folder), '-o', str(folder / 'faces.lmdb')]) == cli.PARTIAL
    assert 'broken.png' in caplog.text


def test_missing_input(folder):
    assert cli.main(['make-lmdb', '-o', str(folder / 'faces.lmdb')]) == cli.USAGE
