import cv2
import pytest

from daefr_arch.commands import cli, exit_codes
from tests.data.faces import face


@pytest.fixture
def folder(tmp_path):
    (tmp_path / 'faces').mkdir()
    (tmp_path / 'faces' / 'a.png').write_bytes(cv2.imencode('.png', face(48))[1].tobytes())
    return tmp_path


def test_writes_a_paired_test_set_with_the_ranges_of_the_options(folder):
    options = ['--size', '32', '--downsample_range', '2', '2', '--jpeg_range', '50', '50', '--blur_kernel_size', '21']
    assert cli.main(['degrade', '-i', str(folder / 'faces'), '-o', str(folder / 'out'), *options]) == exit_codes.OK
    header, row = (line.split(',') for line in (folder / 'out/params.csv').read_text().splitlines())
    drawn = dict(zip(header, row, strict=True))
    assert (drawn['kernel_size'], drawn['downsample'], drawn['jpeg_quality']) == ('21', '2.0', '50')
    assert cv2.imread(str(folder / 'out/lq/a.png')).shape == (32, 32, 3)


def test_turbulence_option(folder):
    arguments = ['-i', str(folder / 'faces'), '-o', str(folder / 'out'), '--size', '0', '--turbulence', '10000']
    assert cli.main(['degrade', *arguments]) == exit_codes.OK
    assert 'path_length' in (folder / 'out/params.csv').read_text()
    assert cv2.imread(str(folder / 'out/lq/a.png')).shape == (48, 48, 3)


def test_exit_codes(folder):
    arguments = ['degrade', '-i', str(folder / 'faces'), '--size', '32', '-o']
    assert cli.main([*arguments, str(folder / 'bad'), '--jpeg_range', '90', '10']) == exit_codes.USAGE
    assert cli.main([*arguments, str(folder)]) == exit_codes.USAGE
    (folder / 'faces' / 'b.png').write_bytes(b'no image')
    assert cli.main([*arguments, str(folder / 'out')]) == exit_codes.PARTIAL
