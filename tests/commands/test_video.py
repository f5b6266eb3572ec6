"""The command `daefr video`: its flags, its report and its exit codes."""

import json
from fractions import Fraction

import pytest

from daefr_arch.commands import cli, exit_codes, restore, video
from daefr_arch.io.image_file import write_image
from tests.video.films import WIDTH, decoded, disc_restorer, pictures, times_of, write_film


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Runs the command with a restorer that needs no weights; its output is tmp_path/out."""
    monkeypatch.setattr(video, 'build_restorer', lambda args: disc_restorer(upscale=args.upscale))

    def run(film, *arguments, out='out'):
        return cli.main(['video', '-i', str(film), '-o', str(tmp_path / out), *arguments])

    return run


def test_a_film_and_its_report(tmp_path, run, capsys):
    film = write_film(tmp_path / 'film.mp4', 8)
    assert run(film) == exit_codes.OK
    assert times_of(tmp_path / 'out/film.mp4') == times_of(film)
    (line,) = [json.loads(line) for line in (tmp_path / 'out/film.mp4.report.jsonl').read_text().splitlines()]
    assert (line['frames'], line['faces'], line['tracks'][0]['frames']) == (8, 8, 8)
    assert line['output'] == str(tmp_path / 'out/film.mp4')
    assert run(film) == exit_codes.USAGE
    assert run(film, '--overwrite') == exit_codes.OK
    assert run(film, '--suffix', 'small', '--ext', 'mkv', '--preset', 'ultrafast', '--crf', '30') == exit_codes.OK
    assert (tmp_path / 'out/film_small.mkv').is_file()


def test_a_file_may_be_named(tmp_path, run):
    film = write_film(tmp_path / 'film.mp4', 8, rate=Fraction(25), times=[3600 * i for i in range(8)])
    arguments = ['--start', '0:0:0.08', '--end', '0.2', '--fps', '50', '--audio', 'none', '--steadiness', '0']
    assert run(film, *arguments, out='there.mkv') == exit_codes.OK
    assert [float(time) for time in times_of(tmp_path / 'there.mkv')] == pytest.approx([0, 0.02, 0.04, 0.06, 0.08, 0.1])
    assert run(film, '--overwrite', out='there.mkv') == exit_codes.OK


def test_a_damaged_film_is_partly_done(tmp_path, run):
    whole = write_film(tmp_path / 'whole.mkv', 40, options={'g': '5', 'crf': '12'}, rate=Fraction(10))
    film = tmp_path / 'film.mkv'
    film.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    assert run(film) == exit_codes.PARTIAL


def test_wrong_arguments(tmp_path, run, capsys):
    film = write_film(tmp_path / 'film.mp4', 2)
    for arguments in (
        ['--fps', '0'],
        ['--start', '1:2:3:4'],
        ['--steadiness', '2'],
        ['--codec', 'divx'],
        ['--crf', '99'],
    ):
        with pytest.raises(SystemExit) as stopped:
            run(film, *arguments)
        assert stopped.value.code == exit_codes.USAGE
    assert run(film, '--start', '3', '--end', '2') == exit_codes.USAGE
    (tmp_path / 'no.mp4').write_text('film')
    assert run(tmp_path / 'no.mp4') == exit_codes.FAILED


def test_films_among_photos(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(restore, 'build_restorer', lambda args: disc_restorer(upscale=args.upscale))
    folder, out = tmp_path / 'in', tmp_path / 'out'
    folder.mkdir()
    write_film(folder / 'film.mp4', 4)
    (folder / 'broken.mkv').write_bytes((folder / 'film.mp4').read_bytes()[:900])
    write_image(folder / 'photo.png', pictures(1)[0])
    arguments = ['restore', '-i', str(folder), '-o', str(out), '-s', '1']
    assert cli.main(arguments) == exit_codes.PARTIAL
    results = {path.name for path in (out / 'final_results').iterdir()}
    assert results == {'film.mp4', 'film.mp4.report.jsonl', 'photo.png'}
    assert 'broken.mkv: not a film, or damaged' in caplog.text
    assert cli.main(arguments) == exit_codes.USAGE
    (folder / 'broken.mkv').unlink()
    assert cli.main([*arguments, '--skip_existing']) == exit_codes.OK
    assert cli.main(['restore', '-i', str(folder / 'film.mp4'), '-o', str(out), '--overwrite']) == exit_codes.OK
    assert decoded(out / 'final_results/film.mp4')[0].width == 2 * WIDTH
    assert cli.main([*arguments, '--overwrite', '--draw_box']) == exit_codes.USAGE


def test_what_stops_a_folder_is_found_before_its_films_are_restored(tmp_path, monkeypatch):
    """And photos and films share one restorer."""
    built = []

    def build(args):
        built.append(disc_restorer(upscale=args.upscale))
        return built[-1]

    monkeypatch.setattr(restore, 'build_restorer', build)
    folder, out = tmp_path / 'in', tmp_path / 'out'
    folder.mkdir()
    write_film(folder / 'film.mp4', 2)
    write_image(folder / 'photo.png', pictures(1)[0])
    (out / 'final_results').mkdir(parents=True)
    write_image(out / 'final_results/photo.png', pictures(1)[0])
    arguments = ['restore', '-i', str(folder), '-o', str(out), '-s', '1']
    assert cli.main(arguments) == exit_codes.USAGE
    assert (built, [path.name for path in (out / 'final_results').iterdir()]) == ([], ['photo.png'])
    assert cli.main([*arguments, '--overwrite']) == exit_codes.OK
    assert len(built) == 1
