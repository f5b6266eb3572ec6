"""An interrupted comparison goes on; what can be known of its methods is told before any work."""

import json

import cv2
import numpy as np
import pytest

from daefr_arch.checkpoints import read_checkpoint, save_network
from daefr_arch.commands import cli, exit_codes
from daefr_arch.comparison import comparison, face_set
from daefr_arch.comparison.method import Method, check_methods
from daefr_arch.errors import InputError, WeightsError
from tests.comparison.conftest import FACE, OPTIONS
from tests.faces.photos import astronaut


@pytest.fixture
def faces(tmp_path):
    """A folder of four aligned faces."""
    folder = tmp_path / 'faces'
    folder.mkdir()
    for index in range(4):
        cv2.imwrite(str(folder / f'{index}.png'), np.roll(cv2.resize(astronaut(), (FACE, FACE)), index, 1))
    return folder


@pytest.fixture
def compare(faces, tmp_path):
    def compare(*methods, extra=()):
        fixed = ['-i', str(faces), '-g', str(faces), '-o', str(tmp_path / 'out'), '--has_aligned', '--device', 'cpu']
        size = ['--face_size', str(FACE), '--metrics', 'psnr', '--precision', 'fp32']
        return cli.main(['compare', *methods, *fixed, *size, *extra])

    return compare


@pytest.fixture
def networks_run(monkeypatch):
    """How many faces went through a network; set `stop_after` to interrupt like Ctrl-C."""

    class Runs:
        count, stop_after = 0, None

    original = comparison._restore

    def restore(runner, crop):
        Runs.count += 1
        if Runs.stop_after is not None and Runs.count > Runs.stop_after:
            raise KeyboardInterrupt
        return original(runner, crop)

    monkeypatch.setattr(comparison, '_restore', restore)
    return Runs


def test_goes_on_behind_the_last_face(compare, networks_run, tiny_model, tmp_path, monkeypatch):
    networks_run.stop_after = 3  # the one to warm up, and two of four
    methods = f'a={tiny_model}', f'b={tiny_model}'
    assert compare(*methods) == exit_codes.INTERRUPTED
    out = tmp_path / 'out'
    first = {path.name: path.stat().st_mtime_ns for path in (out / 'a/restored_faces').iterdir()}
    assert sorted(first) == ['0.png', '1.png']
    assert not (out / 'compare.json').exists()

    networks_run.count, networks_run.stop_after = 0, None
    monkeypatch.setattr(face_set, 'write_image', None)  # the faces are cut out already
    assert compare(*methods) == exit_codes.OK
    assert networks_run.count == (1 + 2) + (1 + 4)
    assert {name: (out / 'a/restored_faces' / name).stat().st_mtime_ns for name in first} == first
    a, b = json.loads((out / 'compare.json').read_text())['methods'][1:]
    assert [row['values'] for row in a['rows']] == [row['values'] for row in b['rows']]
    assert a['description'] == b['description']
    assert a['seconds'] > 0
    assert (out / 'compare.csv').exists()
    assert (out / 'compare.html').exists()


def test_a_finished_method_is_not_run_again(compare, networks_run, tiny_model, tmp_path):
    networks_run.stop_after = 5
    assert compare(f'a={tiny_model}', f'b={tiny_model}') == exit_codes.INTERRUPTED
    networks_run.count, networks_run.stop_after = 0, None
    assert compare(f'a={tiny_model}', f'b={tiny_model}') == exit_codes.OK
    assert networks_run.count == 1 + 4


def test_other_settings_or_a_finished_comparison_are_refused(
    compare, networks_run, tiny_model, faces, tmp_path, caplog
):
    networks_run.stop_after = 2
    assert compare(f'a={tiny_model}') == exit_codes.INTERRUPTED
    networks_run.stop_after = None
    assert compare(f'a={tiny_model}', extra=['-w', '0.7']) == exit_codes.USAGE
    assert 'was begun with other settings (fidelity)' in caplog.text
    for method in ('daefr-lite', f'{tiny_model}+evidence'):
        caplog.clear()
        assert compare(f'a={method}') == exit_codes.USAGE
        assert 'was begun with other settings (methods)' in caplog.text
    cv2.imwrite(str(faces / '4.png'), astronaut())
    assert compare(f'a={tiny_model}') == exit_codes.USAGE
    assert 'was begun with other settings (input, ground_truth)' in caplog.text
    (faces / '4.png').unlink()
    assert compare(f'a={tiny_model}') == exit_codes.OK
    assert compare(f'a={tiny_model}') == exit_codes.USAGE
    assert 'expected a new or empty folder, or an unfinished comparison' in caplog.text


def test_checkpoints_are_loaded_before_any_work(compare, networks_run, tiny_model, tmp_path, caplog):
    (tmp_path / 'bad.pth').write_bytes(b'no checkpoint')
    state = {key: value for key, value in read_checkpoint(tiny_model).state_dict.items() if 'decoder' not in key}
    save_network(tmp_path / 'half.safetensors', state, OPTIONS)
    for name in ('bad.pth', 'half.safetensors'):
        assert compare(f'good={tiny_model}', f'other={tmp_path / name}') == exit_codes.FAILED
        assert f'method other: {tmp_path / name}' in caplog.text
    assert networks_run.count == 0
    assert not (tmp_path / 'out').exists()


def test_folders_of_results_are_looked_through_before_any_work(compare, networks_run, tiny_model, tmp_path, caplog):
    elsewhere = tmp_path / 'elsewhere'
    elsewhere.mkdir()

    def refused(message):
        caplog.clear()
        assert compare(f'good={tiny_model}', f'GPEN={elsewhere}') == exit_codes.FAILED
        assert f'method GPEN: {message}' in caplog.text
        assert networks_run.count == 0

    refused(f'no image in the folder {elsewhere}')
    for index in range(3):
        cv2.imwrite(str(elsewhere / f'{index}_00.png'), astronaut())
    refused('results and ground truths do not pair by file name; 1 ground truths without result: 3.png')
    assert not (tmp_path / 'out').exists()
    cv2.imwrite(str(elsewhere / '3.png'), astronaut()[:200])
    refused(f'{elsewhere}/3.png: expected a square face, got 512x200 pixels')
    (elsewhere / '3.png').write_bytes(b'no image')
    refused(f'{elsewhere}/3.png')


def test_of_photos_only_their_names_are_known_before(tmp_path):
    sources = [tmp_path / 'a.jpg', tmp_path / 'b_1.png']
    for name in ('a_00.png', 'a_01.png', 'b_1_00.png'):
        cv2.imwrite(str(tmp_path / name), astronaut())
    check_methods([Method('GPEN', f'{tmp_path}')], sources, aligned=False)
    cv2.imwrite(str(tmp_path / 'c_00.png'), astronaut())
    with pytest.raises(InputError, match=rf'method GPEN: {tmp_path}/c_00\.png: expected the face of a photo'):
        check_methods([Method('GPEN', f'{tmp_path}')], sources, aligned=False)
    with pytest.raises(WeightsError, match=r'method x: .*--offline'):
        check_methods([Method('x', 'codeformer')], sources, aligned=False, offline=True)


def test_names_are_no_formulas_in_the_table(compare, faces, tiny_model, tmp_path):
    (faces / '0.png').rename(faces / '=HYPERLINK(1).png')
    assert compare(f'a={tiny_model}') == exit_codes.OK
    text = (tmp_path / 'out/compare.csv').read_text()
    assert "\na,'=HYPERLINK(1)," in text
    assert ',=' not in text
