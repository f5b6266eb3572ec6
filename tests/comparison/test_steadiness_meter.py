"""How steady films are, on films of which it is known."""

import numpy as np
import pytest

from daefr_arch.comparison.remembered_faces import RememberedFaces
from daefr_arch.comparison.steadiness_meter import SteadinessMeter, measure_steadiness
from daefr_arch.faces.detector import DetectedFace
from tests.faces.photos import ASTRONAUT_LANDMARKS, astronaut
from tests.video.films import DiscDetector, write_film

FACE = DetectedFace((180, 60, 270, 180), 1.0, ASTRONAUT_LANDMARKS)


class Brightness:
    """Embeds a face as a direction that turns by a radian from black to white."""

    protocol = ''

    def embed(self, face):
        angle = face.mean() / 255
        return np.array([np.cos(angle), np.sin(angle)])


def flicker(index):
    return np.clip(astronaut().astype(int) + 10 * (index % 2), 0, 255).astype(np.uint8)


def test_flicker_is_measured_beside_the_input():
    meter = SteadinessMeter(Brightness())
    for index in range(4):
        meter.add({'input': astronaut(), 'worse': flicker(index)}, [FACE], is_cut=not index)
    steady, worse = meter.result()['input'], meter.result()['worse']
    assert steady.warping_error == pytest.approx(0, abs=1e-3)
    assert worse.warping_error == pytest.approx(1000 * (10 / 255) ** 2, rel=0.1)
    assert steady.identity_jitter == pytest.approx(0, abs=1e-6)
    assert worse.identity_jitter == pytest.approx(1000 * (1 - np.cos(10 / 255)), rel=0.2)


def test_cuts_other_faces_and_frames_without_faces_do_not_count():
    meter = SteadinessMeter(None)
    elsewhere = DetectedFace((0, 300, 200, 500), 1.0, ASTRONAUT_LANDMARKS)
    dark = astronaut() // 2
    for picture, faces, is_cut in (
        (astronaut(), [FACE], True),
        (astronaut(), [FACE], False),
        (dark, [FACE], True),
        (astronaut(), [], False),
        (dark, [FACE], False),
        (astronaut(), [elsewhere], False),
    ):
        meter.add({'input': picture}, faces, is_cut=is_cut)
    assert meter.result()['input'].warping_error == pytest.approx(0, abs=1e-3)
    assert meter.result()['input'].identity_jitter is None
    assert SteadinessMeter(None).result() == {}


def test_films_are_measured_at_the_inputs_size_and_others_left_out(tmp_path, caplog):
    film, large = write_film(tmp_path / 'a.mp4', 8), write_film(tmp_path / 'large.mp4', 8, size=(192, 144))
    short, long = write_film(tmp_path / 'short.mp4', 7), write_film(tmp_path / 'long.mp4', 9)
    versions = {'input': film, 'large': large, 'short': short, 'long': long}
    discs = DiscDetector()
    remembered = RememberedFaces(discs)
    measured = measure_steadiness(film, versions, remembered, None)
    assert set(measured) == {'input', 'large'}
    assert measured['input'].warping_ratio == 1
    assert measured['large'].warping_ratio > 0
    assert caplog.text.count('has another number of frames than a.mp4: not measured') == 2
    assert measure_steadiness(film, {'input': film}, remembered, None)['input'] == measured['input']
    assert discs.found == 8  # each picture was looked at once
