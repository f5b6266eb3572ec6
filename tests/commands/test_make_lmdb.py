import cv2
import pytest

from daefr_arch.commands import cli, exit_codes
from tests.data.faces import face


@pytest.fixture
def folder(tmp_path):
    for i in range(2):
        (tmp_path / f'{i}.png').write_bytes(cv2.imencode('.png', face(32 + i))[1].tobytes())
    return tmp_path


def test_builds_and_verifies(folder):
    output = str(folder / 'faces.lmdb')
    assert cli.main(['make-lmdb', '-i', str(folder), '-o', output, '--size', '16']) == exit_codes.OK
    assert cli.main(['make-lmdb', '-o', output, '--verify_only']) == exit_codes.OK
    assert cli.main(['make-lmdb', '-i', str(folder), '-o', output]) == exit_codes.USAGE


def test_unreadable_images_give_their_own_exit_code(folder, caplog):
    (folder / 'broken.png').write_bytes(b'no image')
    assert cli.main(['make-lmdb', '-i', str(folder), '-o', str(folder / 'faces.lmdb')]) == exit_codes.PARTIAL
    assert 'broken.png' in caplog.text


def test_missing_input(folder):
    assert cli.main(['make-lmdb', '-o', str(folder / 'faces.lmdb')]) == exit_codes.USAGE
