import json

import cv2
import pytest

from daefr_arch.commands import cli, exit_codes
from tests.comparison.conftest import FACE, photos, tiny_model  # noqa: F401  fixtures
from tests.faces.photos import astronaut


def test_compares_a_model_and_a_folder_on_photos(photos, tiny_model, tmp_path, monkeypatch, caplog):  # noqa: F811
    monkeypatch.setenv('DAEFR_HOME', str(tmp_path))
    caplog.set_level('INFO', logger='daefr_arch')
    elsewhere = tmp_path / 'elsewhere'
    elsewhere.mkdir()
    for name in ('astronaut_00', 'hopper_00'):
        cv2.imwrite(str(elsewhere / f'{name}.png'), cv2.resize(astronaut(), (FACE, FACE)))
    out = tmp_path / 'out'
    common = ['-i', str(photos[0]), '-g', str(photos[1]), '-o', str(out), '--face_size', str(FACE), '--offline']
    methods = [f'tiny={tiny_model}', f'GPEN={elsewhere}']
    metrics = ['--metrics', 'lpips', 'psnr', 'ssim', '--skip-missing']
    assert cli.main(['compare', *methods, *common, *metrics]) == exit_codes.PARTIAL
    loaded = json.loads((out / 'compare.json').read_text())
    assert [method['name'] for method in loaded['methods']] == ['input', 'tiny', 'GPEN']
    assert loaded['methods'][1]['seconds'] > 0
    for method in loaded['methods']:
        means = {metric['name']: metric['mean'] for metric in method['metrics']}
        assert means['lpips'] is None
        assert f'{means["psnr"]:.4f}' in caplog.text
    assert 'missing: vgg16-397923af.pth is not in' in caplog.text
    assert len((out / 'compare.csv').read_text().splitlines()) == 1 + 3 * (2 + 1)
    assert (out / 'compare.html').stat().st_size > 10_000
    assert cli.main(['compare', *methods, *common, *metrics]) == exit_codes.USAGE
    assert 'expected a new or empty folder' in caplog.text


@pytest.mark.parametrize('wrong', ['daefr-lite', 'x=nowhere.pth'])
def test_wrong_arguments_are_told_before_any_work(wrong, photos, tmp_path):  # noqa: F811
    arguments = ['-i', str(photos[0]), '-o', str(tmp_path / 'out'), '--metrics', 'niqe']
    assert cli.main(['compare', wrong, *arguments]) == exit_codes.USAGE
    assert not (tmp_path / 'out').exists()
