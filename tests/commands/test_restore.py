"""The command `daefr restore`: its flags, those of CodeFormer and GFPGAN, and its exit codes."""

import argparse
import inspect
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from skimage.data import astronaut

from daefr_arch.commands import cli, exit_codes, restore
from daefr_arch.io.image_file import read_image, write_image
from daefr_arch.restoration import restorer
from daefr_arch.restoration.restorer import DAEFRRestorer
from tests.restoration.fake_restorer import FakeRestorer

SCRIPT = Path(__file__).parents[2] / 'inference/inference_daefr.py'


def parse(*arguments):
    parser = argparse.ArgumentParser()
    restore.add_arguments(parser)
    return parser.parse_args(arguments)


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / 'photos'
    folder.mkdir()
    face = np.ascontiguousarray(astronaut()[40:200, 160:280, ::-1])
    write_image(folder / 'a.png', face)
    write_image(folder / 'c.jpg', face)
    return folder


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Runs the command with a restorer that needs no network; its output is tmp_path/out."""
    monkeypatch.setattr(restore, 'build_restorer', lambda args: FakeRestorer())

    def run(source, *arguments):
        return cli.main(['restore', '-i', str(source), '-o', str(tmp_path / 'out'), *arguments])

    return run


def test_spellings_of_codeformer_and_gfpgan():
    codeformer = parse(
        *('--input_path', 'in', '--output_path', 'out', '--fidelity_weight', '0.7', '--upscale', '4', '--has_aligned'),
        *(
            '--only_center_face',
            '--draw_box',
            '--face_upsample',
            '--detection_model',
            'retinaface_resnet50',
            '--bg_upsampler',
            'None',
        ),
        *('--bg_tile', '200', '--suffix', 'x'),
    )
    gfpgan = parse(
        *(
            '--input',
            'in',
            '--output',
            'out',
            '-w',
            '0.7',
            '-s',
            '4',
            '--aligned',
            '--only_center_face',
            '--ext',
            'jpg',
        ),
        *('--bg_upsampler', 'realesrgan', '--bg_tile', '200', '--suffix', 'x', '--layout', 'gfpgan'),
    )
    for name in ('input', 'output', 'weight', 'upscale', 'has_aligned', 'only_center_face', 'bg_tile', 'suffix'):
        assert getattr(codeformer, name) == getattr(gfpgan, name)
    assert (codeformer.bg_upsampler, gfpgan.bg_upsampler) == ('none', 'realesrgan')
    assert (codeformer.upscale, codeformer.weight) == (4, 0.7)


def test_help_loads_neither_torch_nor_opencv():
    code = (
        'import sys, daefr_cli\n'
        "sys.argv = ['daefr', 'restore', '--help']\n"
        'try:\n    daefr_cli.main()\n'
        "except SystemExit:\n    print([name for name in ('torch', 'cv2', 'basicsr') if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True)
    assert '--fidelity_weight' in result.stdout
    assert result.stdout.endswith('[]\n')


def test_exit_code_0_and_report(run, photos, tmp_path):
    assert run(photos) == exit_codes.OK
    assert [path.name for path in sorted((tmp_path / 'out/final_results').iterdir())] == ['a.png', 'c.jpg']
    report = (tmp_path / 'out/report.jsonl').read_text().splitlines()
    assert [json.loads(line)['status'] for line in report] == ['ok', 'ok']


def test_exit_code_1_when_everything_failed(run, tmp_path, caplog):
    (tmp_path / 'text.jpg').write_text('no image')
    assert run(tmp_path / 'text.jpg') == exit_codes.FAILED
    assert 'not an image' in caplog.text
    assert run(tmp_path / 'missing') == exit_codes.FAILED
    assert 'no image file, folder or pattern with matches' in caplog.text


def test_exit_code_2_before_any_work(run, photos, tmp_path, caplog):
    for wrong in (
        ['--min_face_size', 'nan'],
        ['--min_face_size', 'inf'],
        ['-w', '1.5'],
        ['--ext', 'gif'],
        ['--no_such_flag'],
        ['--overwrite', '--skip_existing'],
    ):
        with pytest.raises(SystemExit) as exit_:
            run(photos, *wrong)
        assert exit_.value.code == exit_codes.USAGE
    write_image(photos / 'a.jpg', read_image(photos / 'a.png').pixels)
    assert run(photos) == exit_codes.USAGE
    assert 'would write the same names' in caplog.text
    assert not (tmp_path / 'out').exists()


def test_impossible_options_of_the_restorer_are_exit_code_2(photos, tmp_path, caplog):
    arguments = ['restore', '-i', str(photos), '-o', str(tmp_path / 'out'), '--face_upsample']
    assert cli.main(arguments) == exit_codes.USAGE
    assert 'face_upsample: expected a bg_upsampler' in caplog.text


def test_defaults_are_those_of_the_restorer(monkeypatch):
    seen = {}
    monkeypatch.setattr(restorer, 'DAEFRRestorer', lambda model, **options: seen.update(options, model=model))
    restore.build_restorer(parse('-i', 'x'))
    parameters = inspect.signature(DAEFRRestorer).parameters
    of_programs = {'fusion', 'arch', 'channel_multiplier'}  # objects that no flag can give, and GFPGANer's own
    assert seen == {name: parameter.default for name, parameter in parameters.items() if name not in of_programs}


def test_exit_code_3_when_one_of_a_folder_cannot_be_read(run, photos, tmp_path):
    (photos / 'b.png').write_bytes((photos / 'a.png').read_bytes()[:500])
    assert run(photos) == exit_codes.PARTIAL
    report = (tmp_path / 'out/report.jsonl').read_text().splitlines()
    assert [json.loads(line)['status'] for line in report] == ['ok', 'error', 'ok']
    assert run(photos, '--skip_existing') == exit_codes.PARTIAL  # two are done, though not by this run


def test_running_again(run, photos, tmp_path, caplog):
    assert run(photos) == exit_codes.OK
    assert run(photos) == exit_codes.USAGE
    assert 'use --overwrite, --skip_existing or --output' in caplog.text
    assert run(photos, '--overwrite') == exit_codes.OK
    (tmp_path / 'out/final_results/c.jpg').unlink()
    assert run(photos, '--skip_existing', '--report', str(tmp_path / 'again.jsonl')) == exit_codes.OK
    again = (tmp_path / 'again.jsonl').read_text().splitlines()
    assert [json.loads(line)['input'][-5:] for line in again] == ['a.png', 'c.jpg']  # neither was in that report
    assert run(photos, '--skip-existing') == exit_codes.OK


def test_limit_of_pixels(run, photos):
    assert run(photos, '--max_pixels', '19199') == exit_codes.FAILED
    assert run(photos, '--max_pixels', '19200') == exit_codes.OK


def test_script_is_the_command():
    result = subprocess.run([sys.executable, SCRIPT, '--help'], capture_output=True, text=True, check=True)
    assert 'daefr restore' in result.stdout
