"""Clips for the page: what every browser plays, with the film's own times."""

import io
from fractions import Fraction

import av
import numpy as np
import pytest

from daefr_arch.comparison.film_clip import LONGEST_SIDE, make_clip
from daefr_arch.video.colour import Colour, to_bgr
from tests.video.films import WIDTH, decoded, write_film


def frames_of(clip):
    with av.open(io.BytesIO(clip.data)) as container:
        assert [stream.type for stream in container.streams] == ['video']
        assert container.streams.video[0].codec_context.name == 'h264'
        return list(container.decode(video=0))


def test_frames_keep_their_times_and_colours(tmp_path):
    times = [9000 + 3003 * index + 400 * (index % 3) for index in range(12)]
    film = write_film(tmp_path / 'film.mp4', 12, times=times, sound=['eng'])
    clip = make_clip(film, 20)
    frames = frames_of(clip)
    assert clip.is_whole
    assert [round(frame.pts * frame.time_base * 90_000) for frame in frames] == [time - times[0] for time in times]
    for own, given in zip(frames, decoded(film), strict=True):
        assert (own.color_range, own.colorspace) == (1, 6)  # what the film means without saying so
        shown, expected = (to_bgr(frame, Colour.of(frame)).astype(int) for frame in (own, given))
        assert np.abs((shown - expected).mean(axis=(0, 1))).max() < 1  # the encoder rounds anew at each run: 0.4 to 0.6
        assert np.abs(shown - expected).mean() < 3


@pytest.mark.parametrize(
    ('options', 'size'),
    [
        ({'pixel_format': 'yuv422p10le', 'codec': 'ffv1'}, (WIDTH, 72)),
        ({'sample_aspect': Fraction(3, 2)}, (WIDTH * 3 // 2, 72)),
        ({'size': (97, 71), 'pixel_format': 'gbrp10le', 'codec': 'ffv1'}, (96, 72)),
        ({'size': (1920, 1080)}, (LONGEST_SIDE, 540)),
        ({'pixel_format': 'yuv420p10le', 'codec': 'ffv1', 'colour': (1, 9, 16, 9)}, (WIDTH, 72)),  # PQ
    ],
)
def test_any_film_becomes_one_that_browsers_play(tmp_path, options, size):
    clip = make_clip(write_film(tmp_path / 'film.mkv', 3, **options), 20)
    frames = frames_of(clip)
    assert (frames[0].width, frames[0].height) == (clip.width, clip.height)
    assert np.abs(np.subtract(size, (clip.width, clip.height))).max() <= 2
    assert clip.width % 2 == clip.height % 2 == 0
    assert {frame.format.name for frame in frames} == {'yuv420p'}
    assert frames[0].color_trc in (1, 2)
    assert frames[0].colorspace in (1, 6)


def test_a_long_film_is_cut(tmp_path):
    film = write_film(tmp_path / 'film.mp4', 40, rate=Fraction(20))
    clip = make_clip(film, 1)
    assert not clip.is_whole
    assert len(frames_of(clip)) == 20
    assert clip.frame_seconds == pytest.approx(1 / 20)
