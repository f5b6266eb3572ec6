"""Films in, films out: nothing is lost on the way, and only the faces change."""

from fractions import Fraction

import av
import numpy as np
import pytest
from PIL import Image

from daefr_arch.errors import InputError, UsageError
from daefr_arch.video.film_options import FilmOptions
from daefr_arch.video.restore_video import restore_video
from tests.video.films import (
    BRIGHT,
    HEIGHT,
    RADIUS,
    WIDTH,
    decoded,
    disc_restorer,
    each_pair,
    luma,
    packets_of,
    pictures,
    times_of,
    write_film,
)


@pytest.fixture(scope='module')
def restorer():
    return disc_restorer()


def restored(restorer, film, out, **options):
    return restore_video(film, out, restorer, options=FilmOptions(**options))


VARIABLE = [0, 3003, 4500, 9009, 12_012, 12_112, 20_000, 23_003, 30_000, 90_000]


@pytest.mark.parametrize(
    ('extension', 'times', 'rate'),
    [
        ('.mp4', None, Fraction(30_000, 1001)),
        ('.mkv', None, Fraction(24)),
        ('.mov', VARIABLE, Fraction(25)),
        ('.mp4', VARIABLE, Fraction(25)),
        ('.mkv', VARIABLE, Fraction(25)),
        ('.mp4', [time + 45_000 for time in VARIABLE], Fraction(25)),
    ],
)
def test_every_frame_keeps_its_time(tmp_path, restorer, extension, times, rate):
    film = write_film(tmp_path / f'film{extension}', times=times, rate=rate)
    out = tmp_path / f'out{extension}'
    result = restored(restorer, film, out)
    assert times_of(out) == times_of(film)
    assert (result.frames, result.warnings, result.is_damaged) == (10, [], False)
    assert set(tmp_path.iterdir()) == {film, out}


def test_faces_change_and_the_rest_stays_bit_for_bit(tmp_path, restorer):
    film = write_film(tmp_path / 'film.mkv', codec='ffv1')
    restored(restorer, film, tmp_path / 'out.mkv', codec='ffv1')
    for index, (before, after) in enumerate(each_pair(film, tmp_path / 'out.mkv')):
        x, y = WIDTH // 3 + index, HEIGHT // 2
        assert after[y, x + BRIGHT] < before[y, x + BRIGHT] - 20
        outside = np.ones_like(before, bool)
        outside[y - 2 * RADIUS : y + 2 * RADIUS, x - 2 * RADIUS : x + 2 * RADIUS] = False
        assert outside.any()
        assert (before[outside] == after[outside]).all()


@pytest.mark.parametrize('pixel_format', ['yuv420p10le', 'yuv422p10le', 'yuv444p', 'yuv422p', 'gbrp10le', 'gray'])
def test_depth_and_samples_stay_as_they_were(tmp_path, restorer, pixel_format):
    film = write_film(tmp_path / 'film.mkv', 4, codec='ffv1', pixel_format=pixel_format)
    restored(restorer, film, tmp_path / 'out.mkv', codec='ffv1')
    frames = decoded(tmp_path / 'out.mkv')
    assert {frame.format.name for frame in frames} == {pixel_format}
    for before, after in each_pair(film, tmp_path / 'out.mkv'):
        assert (before[:, -20:] == after[:, -20:]).all()
        scale = 4 if '10' in pixel_format else 1
        changed = before.astype(int) - after.astype(int)
        assert changed.max() > 15 * scale
        assert len(np.unique(changed % scale)) == scale  # not in steps of 8 bits


def test_ten_bits_reach_the_default_codec(tmp_path, restorer):
    film = write_film(tmp_path / 'film.mp4', 3, pixel_format='yuv420p10le')
    restored(restorer, film, tmp_path / 'out.mp4')
    assert decoded(tmp_path / 'out.mp4')[0].format.name == 'yuv420p10le'


def test_bits_that_a_codec_lacks_are_refused_with_a_way_out(tmp_path, restorer):
    film = write_film(tmp_path / 'film.mkv', 3, codec='ffv1', pixel_format='yuv420p12le')
    with pytest.raises(UsageError, match=r'h264: cannot hold .* 12 bits: take --codec h265, ffv1'):
        restored(restorer, film, tmp_path / 'out.mkv')


def test_sound_subtitles_chapters_and_tags_are_copied(tmp_path, restorer):
    film = write_film(
        tmp_path / 'film.mkv', sound=('deu', 'fra'), sound_first=True, chapters=True, sample_aspect=Fraction(4, 3)
    )
    out = tmp_path / 'out.mkv'
    restored(restorer, film, out)
    for index in range(2):
        assert packets_of(out, 'audio', index) == packets_of(film, 'audio', index)
    with av.open(str(film)) as before, av.open(str(out)) as after:
        kinds = [[stream.type for stream in container.streams] for container in (before, after)]
        assert kinds[0] == kinds[1] == ['audio', 'audio', 'video']
        languages = [[stream.metadata.get('language') for stream in c.streams] for c in (before, after)]
        assert languages[0] == languages[1] == ['deu', 'fra', 'eng']
        assert after.metadata['title'] == 'A film'
        assert after.chapters() == before.chapters()
        assert after.streams.video[0].sample_aspect_ratio == Fraction(4, 3)
        dispositions = [[stream.disposition for stream in c.streams] for c in (before, after)]
        assert dispositions[0] == dispositions[1]


def _with_more_streams(film, out):
    """The film in Matroska with subtitles, an attachment and a cover."""
    with av.open(str(film)) as source, av.open(str(out), 'w') as target:
        copy = target.add_stream_from_template(source.streams.video[0], opaque=True)
        text = target.add_mux_stream('subrip')
        text.metadata['language'] = 'ita'
        cover = target.add_stream('mjpeg', rate=1)
        cover.width, cover.height, cover.pix_fmt = 32, 32, 'yuvj420p'
        cover.disposition = av.stream.Disposition.attached_pic
        target.add_attachment('font.ttf', 'font/ttf', b'letters')
        for packet in source.demux(source.streams.video[0]):
            if packet.size:
                packet.stream = copy
                target.mux(packet)
        for index in range(2):
            packet = av.Packet(f'line {index}'.encode())
            packet.pts = packet.dts = 100 * index
            packet.duration, packet.time_base, packet.stream = 80, Fraction(1, 1000), text
            target.mux(packet)
        picture = av.VideoFrame(32, 32, 'yuvj420p')
        picture.pts = 0
        target.mux(cover.encode(picture))
    return out


def test_subtitles_attachments_and_covers_are_copied(tmp_path, restorer):
    film = _with_more_streams(write_film(tmp_path / 'plain.mkv'), tmp_path / 'film.mkv')
    out = tmp_path / 'out.mkv'
    restored(restorer, film, out)
    assert packets_of(out, 'subtitles') == packets_of(film, 'subtitles') != []
    assert times_of(out) == times_of(film)
    with av.open(str(film)) as before, av.open(str(out)) as after:
        assert [stream.type for stream in after.streams] == [stream.type for stream in before.streams]
        assert after.streams.subtitles[0].metadata['language'] == 'ita'
        assert [stream.data for stream in after.streams.attachments] == [b'letters']
        assert av.stream.Disposition.attached_pic in after.streams.video[1].disposition
    assert packets_of(out, 'video', 1) == packets_of(film, 'video', 1)


def test_streams_that_start_at_different_times_stay_in_step(tmp_path, restorer):
    film = write_film(
        tmp_path / 'film.mp4', times=[9000 + 3003 * i for i in range(10)], sound=('eng',), sound_from=24_000
    )
    restored(restorer, film, tmp_path / 'out.mp4')
    assert times_of(tmp_path / 'out.mp4') == times_of(film)
    assert packets_of(tmp_path / 'out.mp4', 'audio') == packets_of(film, 'audio')


def test_sound_is_left_out_on_demand(tmp_path, restorer):
    film = write_film(tmp_path / 'film.mp4', 3, sound=('eng',))
    restored(restorer, film, tmp_path / 'out.mp4', audio='none')
    with av.open(str(tmp_path / 'out.mp4')) as container:
        assert [stream.type for stream in container.streams] == ['video']


def test_sound_that_a_container_cannot_hold_is_refused_at_once(tmp_path, restorer):
    film = write_film(tmp_path / 'film.mp4', 3, sound=('eng',))
    with pytest.raises(UsageError, match=r'\.webm cannot hold the audio .*aac.*\.mkv or --audio none'):
        restored(restorer, film, tmp_path / 'out.webm')
    assert list(tmp_path.iterdir()) == [film]


@pytest.mark.parametrize('rotation', [90, 180, 270, 0])
@pytest.mark.parametrize('flip', [False, True])
def test_turned_films_come_out_upright(tmp_path, restorer, rotation, flip):
    film = write_film(tmp_path / 'film.mov', 3, rotation=rotation, flip=flip, faces=False, sample_aspect=Fraction(4, 3))
    restored(restorer, film, tmp_path / 'out.mkv', crf=0)
    upright = np.rot90(luma(decoded(film)[0]), rotation // 90)  # FFmpeg's angles are counterclockwise
    frame = decoded(tmp_path / 'out.mkv')[0]
    assert frame.rotation == 0
    assert (luma(frame) == (np.fliplr(upright) if flip else upright)).all()
    with av.open(str(tmp_path / 'out.mkv')) as container:
        aspect = container.streams.video[0].sample_aspect_ratio
    assert aspect == (Fraction(3, 4) if rotation % 180 else Fraction(4, 3))


def test_pixels_that_are_not_square_are_refused_where_they_would_become_so(tmp_path, restorer):
    film = write_film(tmp_path / 'film.mkv', 2, sample_aspect=Fraction(4, 3))
    with pytest.raises(UsageError, match=r'vp9 in \.mkv: cannot hold pixels .*4/3.*--codec h264'):
        restored(restorer, film, tmp_path / 'out.mkv', codec='vp9')


@pytest.mark.parametrize('colour', [(1, 1, 1, 1), (2, 1, 1, 1), (1, 9, 1, 9), (1, 5, 6, 6)])
@pytest.mark.parametrize('extension', ['.mp4', '.mkv'])
def test_colour_is_kept(tmp_path, restorer, colour, extension):
    film = write_film(tmp_path / f'film{extension}', 3, colour=colour)
    out = tmp_path / f'out{extension}'
    restored(restorer, film, out)
    for before, after in zip(decoded(film), decoded(out), strict=True):
        tags = ('color_range', 'color_primaries', 'color_trc', 'colorspace')
        assert [int(getattr(after, tag)) for tag in tags] == [int(getattr(before, tag)) for tag in tags] == list(colour)
        assert np.abs(luma(before)[:, -20:].astype(int) - luma(after)[:, -20:]).mean() < 1.5


@pytest.mark.parametrize('transfer', [16, 18])
def test_high_dynamic_range_keeps_its_own_values_outside_of_faces(tmp_path, restorer, transfer):
    film = write_film(*(tmp_path / 'film.mkv', 4), codec='ffv1', pixel_format='yuv420p10le', colour=(1, 9, transfer, 9))
    restored(restorer, film, tmp_path / 'out.mkv', codec='ffv1')
    for index, (before, after) in enumerate(each_pair(film, tmp_path / 'out.mkv')):
        assert (before[:, -20:] == after[:, -20:]).all()
        probe = HEIGHT // 2, WIDTH // 3 + index + BRIGHT
        assert after[probe] < before[probe] - 20
    assert decoded(tmp_path / 'out.mkv')[0].color_trc == transfer


def test_frames_without_a_face_pass_at_the_quality_of_the_source(tmp_path, restorer):
    film = write_film(tmp_path / 'film.mp4', 6, faces=False)
    restored(restorer, film, tmp_path / 'out.mp4')
    for before, after in each_pair(film, tmp_path / 'out.mp4'):
        error = ((before.astype(float) - after) ** 2).mean()
        assert 10 * np.log10(255**2 / error) > 42


def test_a_larger_film(tmp_path):
    film = write_film(tmp_path / 'film.mkv', 4, size=(95, 71), codec='ffv1', pixel_format='yuv420p')
    restored(disc_restorer(upscale=2), film, tmp_path / 'out.mkv')
    frames = decoded(tmp_path / 'out.mkv')
    assert {(frame.width, frame.height) for frame in frames} == {(190, 142)}
    assert luma(frames[0])[71, 2 * (95 // 3 + BRIGHT)] < 160


def test_odd_sides_get_a_column_where_the_codec_needs_it(tmp_path, restorer):
    film = write_film(tmp_path / 'film.mkv', 3, size=(95, 71), codec='ffv1')
    result = restored(restorer, film, tmp_path / 'out.mp4')
    assert {(frame.width, frame.height) for frame in decoded(tmp_path / 'out.mp4')} == {(96, 72)}
    assert any('96x72' in text for text in result.warnings)


@pytest.mark.parametrize('extension', ['.gif', '.webp', '.png'])
def test_animations(tmp_path, restorer, extension):
    images = [Image.fromarray(picture[..., ::-1]) for picture in pictures(5)]
    durations = [100, 50, 70, 200, 120]
    path = tmp_path / f'film{extension}'
    images[0].save(path, save_all=True, append_images=images[1:], duration=durations, loop=0)
    result = restored(restorer, path, tmp_path / 'out.mp4')
    assert [float(time) for time in times_of(tmp_path / 'out.mp4')] == pytest.approx([0, 0.1, 0.15, 0.22, 0.42])
    assert result.frames == result.shots[0]['faces'] == 5
    after = decoded(tmp_path / 'out.mp4')[3].to_ndarray(format='bgr24')
    assert np.abs(after[:, -20:].astype(int) - pictures(5)[3][:, -20:]).mean() < 12
    assert after[HEIGHT // 2, WIDTH // 3 + 3 + BRIGHT].mean() < 185


def test_webm_and_avi(tmp_path, restorer):
    film = write_film(tmp_path / 'film.webm', 4, codec='libvpx-vp9', options={'deadline': 'realtime', 'cpu-used': '8'})
    restored(restorer, film, tmp_path / 'out.webm', preset='8')
    assert times_of(tmp_path / 'out.webm') == times_of(film)
    film = write_film(
        *(tmp_path / 'film.avi', 4),
        codec='mpeg4',
        rate=Fraction(25),
        time_base=Fraction(1, 25),
        options={'qscale': '3'},
    )
    restored(restorer, film, tmp_path / 'out.mkv')
    assert times_of(tmp_path / 'out.mkv') == times_of(film)


def test_trimming_cuts_and_moves_all_streams_alike(tmp_path, restorer):
    film = write_film(
        tmp_path / 'film.mp4', 10, rate=Fraction(25), times=[3600 * i for i in range(10)], sound=('eng',), chapters=True
    )
    restored(restorer, film, tmp_path / 'out.mp4', start=0.1, end=0.3)
    assert [float(time) for time in times_of(tmp_path / 'out.mp4')] == pytest.approx([0.02, 0.06, 0.1, 0.14, 0.18])
    sound = {data: time for time, data in packets_of(film, 'audio')}
    cut = packets_of(tmp_path / 'out.mp4', 'audio')
    assert 6 <= len(cut) <= 11
    for time, data in cut:
        assert abs(float(sound[data] - time) - 0.1) < 1e-4
    with av.open(str(tmp_path / 'out.mp4')) as container:
        chapters = [(c['start'] * c['time_base'], c['end'] * c['time_base']) for c in container.chapters()]
    assert chapters == [(0, Fraction(1, 10))]


def test_another_rate_is_a_choice(tmp_path, restorer):
    film = write_film(tmp_path / 'film.mp4', 10, rate=Fraction(25), times=[3600 * i for i in range(10)])
    restored(restorer, film, tmp_path / 'out.mp4', fps=Fraction(50))
    assert times_of(tmp_path / 'out.mp4') == [Fraction(i, 50) for i in range(20)]
    restored(restorer, film, tmp_path / 'slow.mp4', fps=Fraction(25, 2))
    assert times_of(tmp_path / 'slow.mp4') == [Fraction(2 * i, 25) for i in range(5)]


def test_interlaced_films_are_refused_with_a_way_out(tmp_path, restorer):
    film = write_film(
        *(tmp_path / 'film.mkv', 6),
        codec='mpeg2video',
        interlaced=True,
        rate=Fraction(25),
        options={'qscale': '3'},
        time_base=Fraction(1, 25),
    )
    with pytest.raises(InputError, match=r'interlaced.*--deinterlace'):
        restored(restorer, film, tmp_path / 'out.mkv')
    result = restored(restorer, film, tmp_path / 'out.mkv', deinterlace=True)
    assert result.frames == 6
    assert times_of(tmp_path / 'out.mkv') == times_of(film)


def test_a_film_that_was_cut_off_is_restored_as_far_as_it_goes(tmp_path, restorer):
    whole = write_film(tmp_path / 'whole.mkv', 40, options={'g': '5', 'crf': '12'}, rate=Fraction(10))
    film = tmp_path / 'film.mkv'
    film.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    result = restored(restorer, film, tmp_path / 'out.mkv')
    assert 5 < result.frames < 35
    assert result.is_damaged
    times = times_of(tmp_path / 'out.mkv')
    assert times[:10] == times_of(whole)[:10]
    assert set(times) <= set(times_of(whole))


def test_files_that_are_no_films(tmp_path, restorer):
    film = write_film(tmp_path / 'film.mp4', 6)
    truncated = tmp_path / 'no_index.mp4'
    truncated.write_bytes(film.read_bytes()[: film.stat().st_size // 2])
    with pytest.raises(InputError, match='not a film, or damaged'):
        restored(restorer, truncated, tmp_path / 'out.mp4')
    sound = tmp_path / 'sound.mp4'
    with av.open(str(sound), 'w') as container:
        track = container.add_stream('aac', rate=48_000)
        frame = av.AudioFrame.from_ndarray(np.zeros((2, 1024), np.float32), format='fltp', layout='stereo')
        frame.sample_rate = 48_000
        container.mux(track.encode(frame))
        container.mux(track.encode(None))
    with pytest.raises(InputError, match='no moving pictures but audio'):
        restored(restorer, sound, tmp_path / 'out.mp4')
    empty = tmp_path / 'empty.mkv'
    with av.open(str(empty), 'w') as container:
        stream = container.add_stream('libx264', rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 64, 'yuv420p'
        container.start_encoding()
    with pytest.raises(InputError, match=r'no frame|not a film'):
        restored(restorer, empty, tmp_path / 'out.mkv')
    text = tmp_path / 'text.mp4'
    text.write_text('no film ' * 100)
    with pytest.raises(InputError, match='not a film'):
        restored(restorer, text, tmp_path / 'out.mp4')
    with pytest.raises(InputError, match='no frame between start and end'):
        restored(restorer, film, tmp_path / 'out.mp4', start=100.0)
    with pytest.raises(InputError, match='no such film'):
        restored(restorer, tmp_path / 'nothing.mp4', tmp_path / 'out.mp4')
    assert not (tmp_path / 'out.mp4').exists()


def test_a_wrong_extension_does_not_matter(tmp_path, restorer):
    film = write_film(tmp_path / 'film.mp4', 3)
    film.rename(tmp_path / 'film.jpg')
    assert restored(restorer, tmp_path / 'film.jpg', tmp_path / 'out.mp4').frames == 3


def test_a_single_frame(tmp_path, restorer):
    film = write_film(tmp_path / 'film.mp4', 1)
    result = restored(restorer, film, tmp_path / 'out.mp4')
    assert (result.frames, result.shots[0]['faces']) == (1, 1)


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'codec': 'vp8'}, 'codec: expected one of h264'),
        ({'crf': 99}, 'crf of h264: expected 0 to 51'),
        ({'preset': '3'}, 'preset of h264: expected ultrafast'),
    ],
)
def test_impossible_options(tmp_path, restorer, options, message):
    film = write_film(tmp_path / 'film.mp4', 2)
    with pytest.raises(UsageError, match=message):
        restored(restorer, film, tmp_path / 'out.mp4', **options)
    with pytest.raises(UsageError, match=r'expected a film to be written as one of \.mp4'):
        restored(restorer, film, tmp_path / 'out.avi')


def test_nothing_is_overwritten_unasked(tmp_path, restorer):
    film = write_film(tmp_path / 'film.mp4', 2)
    with pytest.raises(UsageError, match=r'is the film itself|is there already'):
        restored(restorer, film, film)
    with pytest.raises(UsageError, match='is the film itself'):
        restore_video(film, film, restorer, overwrite=True)


def test_more_than_one_film_in_a_file(tmp_path, restorer):
    with av.open(str(tmp_path / 'film.mkv'), 'w') as container:
        films = [container.add_stream('ffv1', rate=25) for _ in range(2)]
        for film in films:
            film.width, film.height, film.pix_fmt = WIDTH, HEIGHT, 'yuv420p'
        for picture in pictures(3):
            for film in films:
                container.mux(
                    film.encode(av.VideoFrame.from_ndarray(picture, format='bgr24').reformat(format='yuv420p'))
                )
        for film in films:
            container.mux(film.encode(None))
    restored(restorer, tmp_path / 'film.mkv', tmp_path / 'out.mkv', codec='ffv1')
    assert packets_of(tmp_path / 'out.mkv', 'video', 1) == packets_of(tmp_path / 'film.mkv', 'video', 1)
    assert packets_of(tmp_path / 'out.mkv', 'video', 0) != packets_of(tmp_path / 'film.mkv', 'video', 0)
