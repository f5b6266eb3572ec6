import csv
import errno
import json
import os

import cv2
import numpy as np
import pytest
from skimage.data import astronaut

from daefr_arch.commands import cli, exit_codes
from daefr_arch.io import atomic_file


@pytest.fixture
def folders(tmp_path):
    face = np.ascontiguousarray(astronaut()[:200, 120:320, ::-1])
    for folder in ('results', 'truth'):
        (tmp_path / folder).mkdir()
    for name, sigma in (('a', 1), ('b', 2)):
        cv2.imwrite(str(tmp_path / 'truth' / f'{name}.png'), face)
        cv2.imwrite(str(tmp_path / 'results' / f'{name}_00.png'), cv2.GaussianBlur(face, (0, 0), sigma))
    return tmp_path / 'results', tmp_path / 'truth'


def test_writes_the_numbers_that_it_prints(folders, tmp_path, monkeypatch, caplog):
    monkeypatch.setenv('DAEFR_HOME', str(tmp_path))
    caplog.set_level('INFO', logger='daefr_arch')
    files = ['--csv', str(tmp_path / 'out.csv'), '--json', str(tmp_path / 'out.json')]
    backend = ['--landmark-backend', 'dlib', '--identity-backend', 'dlib', '--skip-missing']
    code = cli.main(['evaluate', str(folders[0]), '-g', str(folders[1]), *backend, *files])
    assert code == exit_codes.PARTIAL
    loaded = json.loads((tmp_path / 'out.json').read_text())
    means = {metric['name']: metric['mean'] for metric in loaded['metrics']}
    assert means['fid'] is None
    assert means['lpips'] is None
    assert 'missing: pt_inception-2015-12-05-6726825d.pth is not in' in caplog.text
    for name in ('niqe', 'ida', 'lmd', 'psnr', 'ssim'):
        assert f'{means[name]:.4f}' in caplog.text
    rows = list(csv.DictReader((tmp_path / 'out.csv').open()))
    assert float(rows[2]['psnr']) == pytest.approx((float(rows[0]['psnr']) + float(rows[1]['psnr'])) / 2)


def test_missing_weights_and_missing_files_are_errors(folders, tmp_path, monkeypatch, caplog):
    monkeypatch.setenv('DAEFR_HOME', str(tmp_path))
    assert cli.main(['evaluate', str(folders[0]), '-g', str(folders[1]), '--metrics', 'lpips']) == exit_codes.FAILED
    assert 'vgg16-397923af.pth' in caplog.text
    (folders[0] / 'b_00.png').unlink()
    assert cli.main(['evaluate', str(folders[0]), '-g', str(folders[1]), '--metrics', 'psnr']) == exit_codes.FAILED
    assert '1 ground truths without result: b.png' in caplog.text


def test_files_that_do_not_pair_are_told_before_weights_are_looked_for(folders, tmp_path, monkeypatch, caplog):
    monkeypatch.setenv('DAEFR_HOME', str(tmp_path))
    assert cli.main(['evaluate', str(tmp_path / 'nowhere')]) == exit_codes.FAILED
    assert 'no image file, folder or pattern' in caplog.text
    (folders[0] / 'b_00.png').unlink()
    assert cli.main(['evaluate', '-i', str(folders[0]), '-g', str(folders[1])]) == exit_codes.FAILED
    assert '1 ground truths without result: b.png' in caplog.text
    assert 'pt_inception' not in caplog.text


def test_backends_that_need_no_file_are_named(folders, tmp_path, monkeypatch, caplog):
    monkeypatch.setenv('DAEFR_HOME', str(tmp_path))
    for metric, flag in (('ida', '--identity_backend'), ('lmd', '--landmark_backend')):
        caplog.clear()
        arguments = ['evaluate', str(folders[0]), '-g', str(folders[1]), '--metrics', metric]
        assert cli.main(arguments) == exit_codes.FAILED
        assert f'or take {flag} dlib, which needs no file; or leave it out with --skip_missing' in caplog.text
        assert cli.main([*arguments, flag, 'dlib', '--csv', str(tmp_path / 'new/folder/numbers.csv')]) == exit_codes.OK
    assert (tmp_path / 'new/folder/numbers.csv').exists()


def test_numbers_are_printed_before_they_are_written(folders, tmp_path, monkeypatch, caplog):
    caplog.set_level('INFO', logger='daefr_arch')
    monkeypatch.setattr(atomic_file.Path, 'write_bytes', full_disk)
    files = ['--metrics', 'psnr', '--csv', str(tmp_path / 'numbers.csv')]
    assert cli.main(['evaluate', str(folders[0]), '-g', str(folders[1]), *files]) == exit_codes.FAILED
    assert 'mean' in caplog.messages[0]
    assert 'numbers.csv: cannot be written: No space left' in caplog.messages[-1]


def full_disk(path, data):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_wrong_arguments(folders):
    assert cli.main(['evaluate', str(folders[0]), '--metrics', 'psnr']) == exit_codes.USAGE
    assert cli.main(['evaluate', str(folders[0]), '--metrics', 'pnsr']) == exit_codes.USAGE
    assert cli.main(['evaluate', str(folders[0]), '--metrics', 'niqe']) == exit_codes.OK
