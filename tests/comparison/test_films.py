"""Films through the command: stills among the photos, whole films by every method, and how steady they are."""

import json
import re
import sys

import cv2
import numpy as np
import pytest
from basicsr.archs import build_network

from daefr_arch import DAEFRRestorer
from daefr_arch.checkpoints import load_network, save_network
from daefr_arch.commands import cli, exit_codes
from daefr_arch.comparison import comparison, film_stills, films, page_films
from daefr_arch.comparison.film_stills import write_stills
from daefr_arch.comparison.films import ComparedFilm, compare_films
from daefr_arch.comparison.method import Method, check_methods
from daefr_arch.comparison.page_films import films_data
from daefr_arch.errors import InputError, WeightsError
from daefr_arch.faces import detector
from daefr_arch.io.image_file import read_image
from daefr_arch.restoration import backend
from daefr_arch.video.film_options import FilmOptions
from daefr_arch.video.restore_video import restore_video
from tests.comparison.conftest import OPTIONS
from tests.faces.photos import astronaut, nothing_shown
from tests.video.films import DiscDetector, decoded, disc_restorer, luma, times_of, write_film

COUNT = 8


@pytest.fixture
def found(monkeypatch):
    """The detector of bright discs, few stills, and nothing but the network's face, so that it is quick."""
    discs = DiscDetector()
    monkeypatch.setattr(comparison, 'load_fusion', lambda *args, **kwargs: nothing_shown())
    monkeypatch.setattr(backend, 'load_fusion', lambda *args, **kwargs: nothing_shown())
    monkeypatch.setattr(detector, 'build_detector', lambda *args, **kwargs: discs)
    monkeypatch.setattr(film_stills, 'COUNT', 2)
    return discs


@pytest.fixture
def film(tmp_path):
    """Its content says what it is, not its name; its frames have times of their own."""
    folder = tmp_path / 'given'
    folder.mkdir()
    path = write_film(folder / 'film.mp4', COUNT, times=[3003 * index + 300 * (index % 3) for index in range(COUNT)])
    return path.rename(folder / 'film.mkv')


@pytest.fixture
def compare(tmp_path, film, found):
    def compare(*methods, given=film, extra=()):
        fixed = ['-i', str(given), '-o', str(tmp_path / 'out'), '--device', 'cpu', '--offline', '--face_size', '192']
        return cli.main(['compare', *methods, *fixed, '--metrics', 'niqe', '--identity_backend', 'dlib', *extra])

    return compare


def test_a_film_is_compared_by_its_stills_and_as_a_whole(compare, film, tiny_model, tmp_path, caplog):
    caplog.set_level('INFO', logger='daefr_arch')
    elsewhere = tmp_path / 'elsewhere'
    elsewhere.mkdir()
    restore_video(film, elsewhere / 'film.mp4', disc_restorer(upscale=2))
    methods = f'bare={tiny_model}', f'fused={tiny_model}+evidence', f'KEEP={elsewhere}'
    cv2.imwrite(str(film.with_name('photo.png')), decoded(film)[5].to_ndarray(format='bgr24'))
    cv2.imwrite(str(elsewhere / 'photo_00.png'), astronaut())
    assert compare(*methods, given=film.parent) == exit_codes.OK
    out = tmp_path / 'out'
    stills = {path.stem for path in (out / 'film_stills').iterdir()}
    assert stills == {'film_000000', 'film_000007'}
    found = json.loads((out / 'compare.json').read_text())
    assert found['faces'] == ['film_000000_00', 'film_000007_00', 'photo_00']
    assert [len(method['rows']) for method in found['methods']] == [3] * 4

    expected_of = DAEFRRestorer(load_network(tiny_model), upscale=1, detector=DiscDetector(), device='cpu')
    for name, options in (('bare', FilmOptions(weight=0, steadiness=0)), ('fused', FilmOptions())):
        expected = tmp_path / f'{name}.mkv'
        restore_video(film, expected, expected_of, options=options)
        made = out / name / 'final_films/film.mkv'
        assert times_of(made) == times_of(expected)
        pairs = zip(decoded(made), decoded(expected), strict=True)
        assert all(np.array_equal(luma(one), luma(other)) for one, other in pairs)
    times = times_of(out / 'input/final_films/film.mkv')
    assert [float(time) for time in times] == pytest.approx([float(time) for time in times_of(film)], abs=0.0006)
    (compared,) = found['films']
    assert list(compared['results']) == ['input', 'bare', 'fused', 'KEEP']
    assert compared['steadiness']['input']['warping_ratio'] == 1
    assert compared['steadiness']['bare']['warping_error'] > 0
    assert compared['steadiness']['KEEP']['identity_jitter'] is not None
    assert re.search(r'film\.mkv +fused', caplog.text)
    assert 'data:video/mp4;base64,' in (out / 'compare.html').read_text()


def test_faces_of_stills_are_cut_from_the_film_of_a_folder(compare, film, tmp_path, caplog):
    elsewhere = tmp_path / 'elsewhere'
    elsewhere.mkdir()
    restore_video(film, elsewhere / 'film.mkv', disc_restorer(upscale=2, brightness=0.0), options=FilmOptions(crf=1))
    assert compare(f'same={elsewhere}') == exit_codes.OK
    for name in ('film_000000_00', 'film_000007_00'):
        crop, cut = (
            read_image(tmp_path / 'out' / folder / f'{name}.png').pixels.astype(float)
            for folder in ('cropped_faces', 'same/restored_faces')
        )
        moved = np.roll(crop, 8, axis=1)
        assert np.abs(cut - crop)[16:-16, 16:-16].mean() < 4 < np.abs(cut - moved)[16:-16, 16:-16].mean()


def test_a_film_of_a_folder_with_other_frames_is_refused(compare, film, tmp_path, caplog):
    elsewhere = tmp_path / 'elsewhere'
    elsewhere.mkdir()
    write_film(elsewhere / 'film.mp4', COUNT - 1)
    assert compare(f'short={elsewhere}') == exit_codes.FAILED
    assert 'film.mp4: has no frame 7, its source has: expected as many frames' in caplog.text


def test_films_that_are_there_are_not_made_again(compare, film, tiny_model, tmp_path, monkeypatch):
    made, original = [], films.restore_video

    def stopped(path, out, *args, **options):
        if len(made) == 2:
            raise KeyboardInterrupt
        made.append(out.parent.parent.name)
        return original(path, out, *args, **options)

    methods = f'a={tiny_model}', f'b={tiny_model}'
    monkeypatch.setattr(films, 'restore_video', stopped)
    assert compare(*methods) == exit_codes.INTERRUPTED
    assert made == ['input', 'a']
    before = (tmp_path / 'out/a/final_films/film.mkv').stat().st_mtime_ns
    assert compare(*methods, extra=['-s', '2']) == exit_codes.USAGE  # the films that are there have another size
    made.clear()
    monkeypatch.setattr(
        films, 'load_method_network', lambda method, **_: made.append(method.name) or load_network(tiny_model)
    )
    assert compare(*methods, extra=['--page_seconds', '0']) == exit_codes.OK
    assert made == ['b', 'b']
    assert (tmp_path / 'out/a/final_films/film.mkv').stat().st_mtime_ns == before
    assert 'data:video' not in (tmp_path / 'out/compare.html').read_text().split('id="data"')[1]


@pytest.mark.parametrize(
    ('extra', 'message'),
    [
        (['--has_aligned'], 'film.mkv is a film, its faces are found: leave out --has_aligned'),
        (['-g', '.'], 'film.mkv is a film, its frames have none: leave out --ground_truth'),
    ],
)
def test_what_films_cannot_have_is_refused(compare, tiny_model, tmp_path, caplog, extra, message):
    assert compare(f'a={tiny_model}', extra=extra) == exit_codes.USAGE
    assert message in caplog.text
    assert not (tmp_path / 'out').exists()


def test_films_of_one_name_and_a_missing_extra_are_refused(compare, film, tiny_model, tmp_path, caplog, monkeypatch):
    write_film(film.with_name('film.mp4'), 3)
    assert compare(f'a={tiny_model}', given=film.parent) == exit_codes.USAGE
    assert 'several films have the same name but another extension: film' in caplog.text
    monkeypatch.setitem(sys.modules, 'av', None)
    assert compare(f'a={tiny_model}') == exit_codes.USAGE
    assert "pip install 'daefr_arch[video]'" in caplog.text
    assert not (tmp_path / 'out').exists()


def test_of_films_faces_of_stills_may_be_in_a_folder(tmp_path):
    for name in ('film_000011_00', 'photo_00'):
        cv2.imwrite(str(tmp_path / f'{name}.png'), np.zeros((8, 8, 3), np.uint8))
    photo, film = tmp_path / 'photo.jpg', tmp_path / 'film.mp4'
    check_methods([Method('x', str(tmp_path))], [photo], aligned=False, films=[film])
    with pytest.raises(InputError, match=r'film_000011_00\.png: expected the face of a photo'):
        check_methods([Method('x', str(tmp_path))], [photo], aligned=False)


def test_a_network_that_fails_leaves_no_film(film, found, tmp_path):
    state = build_network(dict(OPTIONS)).state_dict()
    state['codebook.embedding.weight'].fill_(3e38)
    save_network(tmp_path / 'nan.safetensors', state, OPTIONS)
    with pytest.raises(WeightsError, match=rf'method nan: the network output for {COUNT} faces of film\.mkv'):
        compare_films(
            [Method('nan', str(tmp_path / 'nan.safetensors'))], [film], tmp_path, detector=found, device='cpu'
        )
    assert not list((tmp_path / 'nan/final_films').iterdir())


def test_stills_are_frames_with_faces_spread_over_them(film, tmp_path):
    class Later(DiscDetector):
        def detect(self, img):
            return super().detect(img) if self.found >= 4 else setattr(self, 'found', self.found + 1) or []

    stills = write_stills([film], tmp_path, Later())
    assert [int(still.stem[-6:]) for still in stills] == [4, 5, 6, 7]
    assert sorted(stills) == sorted((tmp_path / 'film_stills').iterdir())
    own = decoded(film)[5].to_ndarray(format='bgr24').astype(int)
    assert np.abs(read_image(stills[1]).pixels.astype(int) - own).mean() < 2


def test_what_makes_the_page_too_large_is_left_out_and_said(film, tmp_path, monkeypatch, caplog):
    whole = ComparedFilm(film, {'input': film, 'ours': film}, {})
    size = films_data([whole], ['input', 'ours', 'truth'], tmp_path, 20)['filmBytes'] // 2
    monkeypatch.setattr(page_films, 'MOST_BYTES', size)
    data = films_data([whole], ['input', 'ours', 'truth'], tmp_path, 20)
    assert list(data['films'][0]['clips']) == ['input']
    assert data['films'][0]['files'] == {'input': 'given/film.mkv', 'ours': 'given/film.mkv'}
    assert data['filmBytes'] == size
    assert 'left out of the page' in caplog.text
