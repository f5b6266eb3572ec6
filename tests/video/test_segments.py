"""Killed, out of disk, or with other options: a run goes on where it was, or says why not."""

import os
import signal
import subprocess
import sys
import time
from fractions import Fraction

import pytest

from daefr_arch.errors import InputError, OutputError, UsageError
from daefr_arch.video import restore_video as module
from daefr_arch.video.decode_times import decode_times, reorder_depth
from daefr_arch.video.film_options import FilmOptions
from daefr_arch.video.restore_video import restore_video
from daefr_arch.video.segment import Segment
from tests.video.films import decoded, disc_restorer, luma, times_of, write_film

FRAMES = 24
OPTIONS = FilmOptions(crf=0, preset='ultrafast', steadiness=0.25)
# a process that restores the film of its first argument; it is slow, so that it can be killed
SCRIPT = """
import sys, time
from tests.video.films import disc_restorer
from daefr_arch.video import restore_video as module
from tests.video.test_segments import OPTIONS
module.SEGMENT_FRAMES = 8
module.restore_video(sys.argv[1], sys.argv[2], disc_restorer(), options=OPTIONS, progress=lambda *_: time.sleep(0.05))
"""


@pytest.fixture
def short_segments(monkeypatch):
    monkeypatch.setattr(module, 'SEGMENT_FRAMES', 8)


@pytest.fixture
def film(tmp_path):
    return write_film(tmp_path / 'film.mp4', FRAMES, rate=Fraction(25), sound=('eng',))


def interrupted(film, out, after, **options):
    """Restores until `after` frames are done."""

    def stop(done, expected):
        if done == after:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        restore_video(film, out, disc_restorer(), options=OPTIONS, progress=stop, **options)


def same_frames(first, second):
    pairs = list(zip(decoded(first), decoded(second), strict=True))
    return len(pairs) == FRAMES and all((luma(a) == luma(b)).all() for a, b in pairs)


@pytest.mark.parametrize('after', [1, 13, 24])
def test_an_interrupted_run_ends_in_the_same_frames(tmp_path, film, short_segments, after):
    whole = restore_video(film, tmp_path / 'whole.mp4', disc_restorer(), options=OPTIONS)
    out = tmp_path / 'out.mp4'
    interrupted(film, out, after)
    assert not out.exists()
    calls = []
    result = restore_video(film, out, disc_restorer(), options=OPTIONS, progress=lambda *done: calls.append(done))
    assert result.resumed == {1: 0, 13: 8, 24: 16}[after]
    assert same_frames(tmp_path / 'whole.mp4', out)
    assert times_of(out) == times_of(film)
    assert (result.frames, result.shots) == (whole.frames, whole.shots)
    assert not (tmp_path / 'out.mp4.segments').exists()


def test_faces_looked_for_now_and_then_are_the_same_ones_after_an_interruption(tmp_path, film, short_segments):
    options = FilmOptions(crf=0, preset='ultrafast', detect_every=3, start=0.08, end=0.9)
    restorer = disc_restorer()
    whole = restore_video(film, tmp_path / 'whole.mp4', restorer, options=options)
    assert restorer.detector.found == -(-whole.frames // 3)

    def stop(done, expected):
        if done == 18:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        restore_video(film, tmp_path / 'out.mp4', disc_restorer(), options=options, progress=stop)
    result = restore_video(film, tmp_path / 'out.mp4', disc_restorer(), options=options)
    assert result.resumed == 16
    pairs = list(zip(decoded(tmp_path / 'whole.mp4'), decoded(tmp_path / 'out.mp4'), strict=True))
    assert len(pairs) == whole.frames == 21
    assert all((luma(a) == luma(b)).all() and a.pts == b.pts for a, b in pairs)


def test_a_killed_process_is_gone_on_from(tmp_path, film, short_segments):
    out = tmp_path / 'out.mp4'
    process = subprocess.Popen([sys.executable, '-c', SCRIPT, str(film), str(out)])
    segment = tmp_path / 'out.mp4.segments' / '000001.segment'
    deadline = time.monotonic() + 60
    while not segment.exists() and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert segment.exists()
    assert not out.exists()
    result = restore_video(film, out, disc_restorer(), options=OPTIONS)
    assert result.resumed >= 16
    restore_video(film, tmp_path / 'whole.mp4', disc_restorer(), options=OPTIONS)
    assert same_frames(tmp_path / 'whole.mp4', out)
    assert not [path for path in tmp_path.rglob('*') if path.name.startswith('.daefr')]


def test_a_full_disk_leaves_whole_segments_alone(tmp_path, film, short_segments, monkeypatch):
    out = tmp_path / 'out.mp4'
    fsync = os.fsync
    written = []

    def fail_at_third(descriptor):
        written.append(descriptor)
        if len(written) == 3:
            raise OSError(28, 'No space left on device')
        fsync(descriptor)

    monkeypatch.setattr(os, 'fsync', fail_at_third)
    with pytest.raises(OutputError, match='No space left'):
        restore_video(film, out, disc_restorer(), options=OPTIONS)
    monkeypatch.undo()
    assert sorted(path.name for path in (tmp_path / 'out.mp4.segments').iterdir()) == [
        *('000000.segment', '000001.segment', 'manifest.json')
    ]
    monkeypatch.setattr(module, 'SEGMENT_FRAMES', 8)
    assert restore_video(film, out, disc_restorer(), options=OPTIONS).resumed == 16


def test_other_options_or_another_source_are_refused(tmp_path, film, short_segments):
    out = tmp_path / 'out.mp4'
    interrupted(film, out, 12)
    with pytest.raises(UsageError, match=r'steadiness was 0\.25, is 0\.9.*--no_resume'):
        restore_video(film, out, disc_restorer(), options=FilmOptions(crf=0, preset='ultrafast', steadiness=0.9))
    with pytest.raises(UsageError, match=r'restorer network\.network was'):
        restore_video(film, out, disc_restorer(brightness=0.3), options=OPTIONS)
    film.write_bytes(film.read_bytes() + b'\0' * 8)
    with pytest.raises(UsageError, match='source was'):
        restore_video(film, out, disc_restorer(), options=OPTIONS)
    assert restore_video(film, out, disc_restorer(), options=OPTIONS, resume=False).resumed == 0


def test_a_damaged_segment_is_made_again(tmp_path, film, short_segments):
    out = tmp_path / 'out.mp4'
    interrupted(film, out, 20)
    second = tmp_path / 'out.mp4.segments' / '000001.segment'
    second.write_bytes(second.read_bytes()[:-30])
    with pytest.raises(InputError, match='not a finished segment'):
        Segment(second)
    assert restore_video(film, out, disc_restorer(), options=OPTIONS).resumed == 8


@pytest.mark.parametrize(
    'shown', [[0, 1, 2, 3], [0, 4, 2, 1, 3, 8, 6, 5, 7], [10, 12, 11, 13], [0, 3, 1, 2, 100, 106, 103, 200]]
)
def test_decoding_times_rise_and_are_never_late(shown):
    depth = reorder_depth(shown)
    times = list(decode_times(sorted(shown), depth, 1))
    assert times == sorted(set(times))
    assert len(times) == len(shown)
    assert all(time <= pts for time, pts in zip(times, shown, strict=True))
