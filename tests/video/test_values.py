"""Numbers of pixels: colour, high dynamic range, rates, names of files."""

from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from daefr_arch.faces.face_mask import feather_mask
from daefr_arch.faces.paster import RestoredFace, change_of_photo, paste_faces
from daefr_arch.io.image_file import write_image
from daefr_arch.video.colour import Colour, add_change, to_bgr
from daefr_arch.video.hdr_metadata import HdrMetadata
from daefr_arch.video.rate import at_rate
from daefr_arch.video.recognition import is_video
from daefr_arch.video.result_name import result_path
from daefr_arch.video.tone_map import ToneMap
from daefr_arch.video.video_info import SourceFrame
from tests.faces.photos import astronaut
from tests.video.films import frame_of, write_film


@pytest.mark.parametrize(
    'pixel_format', ['yuv420p', 'yuv422p', 'yuv444p', 'yuv420p10le', 'yuv444p12le', 'gbrp', 'gray']
)
@pytest.mark.parametrize('colour', [Colour(1, 1, 1, 1), Colour(2, 1, 1, 1), Colour(1, 9, 1, 9), Colour(1, 6, 6, 6)])
def test_a_change_of_rgb_is_that_change_of_the_frame(pixel_format, colour):
    picture = np.full((64, 64, 3), (90, 120, 140), np.uint8)
    tags = (colour.range, colour.primaries, colour.transfer, colour.matrix)
    frame = frame_of(picture, pixel_format, tags)
    before = to_bgr(frame, colour).astype(int)
    grey = pixel_format == 'gray'
    wanted = (20, 20, 20) if grey else (20, -15, 30)
    add_change(frame, np.full((32, 24, 3), wanted, np.float32), (8, 16), colour)
    difference = to_bgr(frame, colour).astype(int) - before
    assert np.abs(difference[20:44, 12:28] - wanted).max() <= 2
    difference[10:54, 2:38] = 0  # chroma is interpolated
    assert not difference.any()


def test_a_change_can_lie_at_an_odd_border():
    frame = frame_of(np.full((63, 61, 3), 100, np.uint8).repeat(1, axis=1), 'yuv444p').reformat(format='yuv420p')
    colour = Colour(1, 1, 1, 1)
    add_change(frame, np.full((23, 21, 3), (30, 0, 0), np.float32), (40, 40), colour)
    assert to_bgr(frame, colour)[62, 60, 0] > 115


def test_the_change_of_a_photo_is_what_pasting_adds():
    photo = np.full((120, 160, 3), 100, np.uint8)
    faces = [
        RestoredFace(np.full((64, 64, 3), change, np.float32), feather_mask(64), np.array([[1.0, 0, -x], [0, 1, -20]]))
        for change, x in ((30, 20), (-20, 50))
    ]
    change, (x, y) = change_of_photo(faces, 1, photo.shape, multiple=4)
    assert (x % 4, y % 4) == (0, 0)
    expected = photo.astype(np.float32)
    expected[y : y + change.shape[0], x : x + change.shape[1]] += change
    paste_faces(photo, faces, 1)
    assert np.abs(expected - photo).max() <= 1.01  # each is rounded
    far = RestoredFace(np.ones((8, 8, 3), np.float32), feather_mask(8), np.array([[1.0, 0, 500], [0, 1, 0]]))
    assert change_of_photo([far], 1, photo.shape) is None


@pytest.mark.parametrize('transfer', [16, 18])
def test_the_tone_map_shows_a_face_as_on_a_display_and_leads_back(transfer):
    tones = ToneMap(Colour(1, 9, transfer, 9))
    white = {16: 0.58, 18: 0.75}[transfer]  # signal of diffuse white, ITU-R BT.2408
    greys = (np.linspace(0, white, 12)[:, None, None] * np.full((1, 1, 3), 65535)).astype(np.uint16)
    shown = tones.to_display(greys)[:, 0]
    assert (np.diff(shown[:, 0].astype(int)) > 0).all()
    assert np.ptp(shown, axis=1).max() <= 1  # grey stays grey
    assert 200 < shown[-1, 0] < 250
    assert tones.to_display(np.full((1, 1, 3), 65535, np.uint16)).max() <= 255
    change = np.zeros((12, 1, 3), np.float32)
    change[4:8] = -12
    signal = tones.change_of_signal(greys, change)
    assert not signal[:4].any()
    assert not signal[8:].any()
    again = tones.to_display((greys + signal * 257).round().astype(np.uint16))[:, 0].astype(int)
    assert np.abs(again - shown - change[:, 0]).max() <= 1


def test_what_a_mastering_display_was_reaches_x265():
    metadata = HdrMetadata((34_000, 16_000, 13_250, 34_500, 7500, 3000, 15_635, 16_450, 1, 10_000_000), (1000, 400))
    assert metadata.x265_parameters() == [
        'master-display=G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,1)',
        'max-cll=1000,400',
    ]
    assert HdrMetadata().x265_parameters() == []


def test_hdr_metadata_survives(tmp_path):
    from daefr_arch.video.film_options import FilmOptions
    from daefr_arch.video.restore_video import restore_video
    from tests.video.films import decoded, disc_restorer

    parameters = HdrMetadata((34_000, 16_000, 13_250, 34_500, 7500, 3000, 15_635, 16_450, 1, 10_000_000), (1000, 400))
    options = {'x265-params': ':'.join(['log-level=error', *parameters.x265_parameters()]), 'preset': 'ultrafast'}
    film = write_film(
        *(tmp_path / 'film.mp4', 3), codec='libx265', pixel_format='yuv420p10le', options=options, colour=(1, 9, 16, 9)
    )
    restore_video(film, tmp_path / 'out.mp4', disc_restorer(), options=FilmOptions(preset='ultrafast'))
    assert HdrMetadata.of(decoded(tmp_path / 'out.mp4')[0]) == HdrMetadata.of(decoded(film)[0]) == parameters


def _frames(*times):
    return [SourceFrame(i, pts, after - pts, i) for i, (pts, after) in enumerate(pairwise(times))]


@pytest.mark.parametrize(
    ('rate', 'shown'),
    [(10, [0, 1, 2, 3]), (20, [0, 0, 1, 1, 2, 2, 3, 3]), (5, [0, 2]), (Fraction(40, 3), [0, 0, 1, 2, 3, 3])],
)
def test_at_another_rate_each_frame_is_shown_when_it_was(rate, shown):
    frames = list(at_rate(_frames(0, 100, 200, 300, 400), Fraction(1, 1000), Fraction(rate)))
    assert [frame.pts for frame in frames] == list(range(len(frames)))
    assert [frame.frame for frame in frames] == shown


def test_films_are_recognised_by_their_content(tmp_path):
    films = [
        write_film(tmp_path / f'film{extension}', 2, **options)
        for extension, options in (
            ('.mp4', {}),
            ('.mkv', {}),
            ('.mov', {}),
            ('.webm', {'codec': 'libvpx-vp9'}),
            ('.avi', {'codec': 'mpeg4', 'rate': Fraction(25), 'time_base': Fraction(1, 25)}),
            ('.ts', {}),
            ('.m2ts', {'container_format': 'mpegts'}),
        )
    ]
    frames = [Image.fromarray(np.full((8, 8, 3), 40 * i, np.uint8)) for i in range(3)]
    for extension in ('.gif', '.webp', '.png'):
        films.append(tmp_path / f'moving{extension}')
        frames[0].save(films[-1], save_all=True, append_images=frames[1:])
    for film in films:
        renamed = film.rename(film.with_suffix('.jpg' if film.suffix != '.jpg' else '.x'))
        assert is_video(renamed), film
        renamed.unlink()
    for extension in ('.jpg', '.png', '.webp'):
        write_image(tmp_path / f'photo{extension}', astronaut())
        assert not is_video(tmp_path / f'photo{extension}')
    frames[0].save(tmp_path / 'still.gif')
    frames[0].save(tmp_path / 'photo.avif')
    (tmp_path / 'text.mp4').write_text('film')
    (tmp_path / 'empty.mp4').write_bytes(b'')
    for name in ('still.gif', 'photo.avif', 'text.mp4', 'empty.mp4', 'nothing.mp4'):
        assert not is_video(tmp_path / name), name


@pytest.mark.parametrize(
    ('source', 'options', 'name'),
    [
        ('film.mp4', {}, 'out/film.mp4'),
        ('film.AVI', {}, 'out/film.mkv'),
        ('film.mp4', {'codec': 'ffv1'}, 'out/film.mkv'),
        ('film.webm', {'extension': 'mp4', 'suffix': 'x'}, 'out/film_x.mp4'),
        ('noending', {}, 'out/noending.mkv'),
    ],
)
def test_names_of_results(source, options, name):
    assert result_path(Path(source), Path('out'), **options) == Path(name)
    assert result_path(Path(source), Path('here/that.mov')) == Path('here/that.mov')


def test_pixels_of_every_matrix_are_read_as_they_are():
    for matrix, (kr, kb) in {1: (0.2126, 0.0722), 6: (0.299, 0.114), 9: (0.2627, 0.0593)}.items():
        frame = av.VideoFrame(16, 16, 'yuv444p')
        for plane, value in zip(frame.planes, (120, 110, 150), strict=True):
            np.frombuffer(plane, np.uint8)[:] = value
        y, cb, cr = (120 - 16) / 219, (110 - 128) / 224, (150 - 128) / 224
        red, blue = y + 2 * (1 - kr) * cr, y + 2 * (1 - kb) * cb
        green = (y - kr * red - kb * blue) / (1 - kr - kb)
        shown = to_bgr(frame, Colour(1, 2, 2, matrix))[8, 8]
        assert np.abs(shown - np.array([blue, green, red]) * 255).max() < 1.5
