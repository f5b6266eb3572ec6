import json

import cv2
import numpy as np
import pytest
from skimage.data import astronaut

from daefr_arch.commands import cli, exit_codes, verify

PAIRS = '2 1\nA 1 2\nA 1 B 1\nB 1 2\nA 2 B 2\n'


@pytest.fixture
def inputs(tmp_path):
    """Arguments for a tiny LFW of two people."""
    face = np.ascontiguousarray(astronaut()[20:180, 140:300, ::-1])
    noise = np.random.default_rng(0).integers(0, 256, face.shape, np.uint8)
    for name, first in (('A', face), ('B', noise)):
        (tmp_path / name).mkdir()
        for number, image in ((1, first), (2, cv2.GaussianBlur(first, (0, 0), 1))):
            cv2.imwrite(str(tmp_path / name / f'{name}_{number:04d}.jpg'), image)
    (tmp_path / 'pairs.txt').write_text(PAIRS)
    return ['-i', str(tmp_path), '--pairs', str(tmp_path / 'pairs.txt'), '--has_aligned']


def test_aligned_faces(inputs, tmp_path, caplog):
    caplog.set_level('INFO', logger='daefr_arch')
    outputs = ['--roc', str(tmp_path / 'roc.csv'), '--json', str(tmp_path / 'new/out.json')]
    assert cli.main(['verify', *inputs, '--identity-backend', 'dlib', *outputs]) == exit_codes.OK
    accuracy = json.loads((tmp_path / 'new/out.json').read_text())['accuracy']
    assert f'accuracy   {100 * accuracy:.2f}%' in caplog.text
    assert (tmp_path / 'roc.csv').read_text().startswith('threshold,far,tar\ninf,0.0,0.0\n')
    assert cli.main(['verify', *inputs, '--identity-backend', str(tmp_path / 'none.onnx')]) == exit_codes.FAILED


def test_the_backend_that_needs_no_file_is_named(inputs, tmp_path, monkeypatch, caplog):
    monkeypatch.setenv('DAEFR_HOME', str(tmp_path))
    assert cli.main(['verify', *inputs]) == exit_codes.FAILED
    assert 'or take --identity_backend dlib, which needs no file' in caplog.text


def test_missing_images_are_told_before_anything_is_loaded(inputs, tmp_path, monkeypatch, caplog):
    monkeypatch.setenv('DAEFR_HOME', str(tmp_path))
    (tmp_path / 'B/B_0002.jpg').rename(tmp_path / 'B/B_0003.jpg')
    assert cli.main(['verify', *inputs]) == exit_codes.FAILED
    assert 'B_0002: no image of that name' in caplog.text


def test_numbers_are_printed_before_they_are_written(inputs, tmp_path, monkeypatch, caplog):
    caplog.set_level('INFO', logger='daefr_arch')
    written = []
    monkeypatch.setattr(verify, 'write_file', lambda path, text: written.append((path.name, len(caplog.messages))))
    assert cli.main(['verify', *inputs, '--identity-backend', 'dlib', '--json', str(tmp_path / 'a')]) == exit_codes.OK
    assert written == [('a', 1)]
    assert caplog.messages[0].startswith('accuracy')
