import cv2
import yaml

from daefr_arch.commands import cli, exit_codes
from daefr_arch.options.option_file import read_option_file
from tests.data.faces import face
from tests.models.stages import ROOT


def test_strips_of_the_shipped_option_file_and_the_default_model(tmp_path, monkeypatch):
    """As the documentation says it, on a folder of one face."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'datasets/train256').mkdir(parents=True)
    for name in ('a', 'b'):  # every fiftieth face is held out, the first is
        cv2.imwrite(str(tmp_path / f'datasets/train256/{name}.png'), face(256))
    command = ['network-faces', '-opt', str(ROOT / 'options/lite/network_faces.yml'), '-o', 'strips', '--count', '1']
    assert cli.main([*command, '--device', 'cpu', '--offline']) == exit_codes.OK
    (strip,) = (tmp_path / 'strips').iterdir()
    assert cv2.imread(str(strip)).shape == (256, 3 * 256, 3)


def test_a_wrong_option_file_is_one_line(tmp_path, caplog):
    options = read_option_file(ROOT / 'options/lite/network_faces.yml')
    options['datasets']['train']['wrap'] = 1.0
    file = tmp_path / 'wrong.yml'
    file.write_text(yaml.safe_dump(options))
    assert cli.main(['network-faces', '-opt', str(file), '-o', str(tmp_path / 'strips')]) == exit_codes.FAILED
    assert "did you mean 'warp'" in caplog.text
    assert not (tmp_path / 'strips').exists()
