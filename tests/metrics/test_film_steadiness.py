"""The measures of films, on films of which they are known."""

import cv2
import numpy as np
import pytest

from daefr_arch.metrics.film_steadiness import identity_jitter, warping_error
from tests.faces.photos import astronaut


def test_warping_error_sees_flicker_and_no_motion():
    photo = cv2.resize(astronaut(), (160, 160))
    moved = [np.roll(photo, 2 * index, axis=1) for index in range(4)]
    inside = [np.pad(np.ones((100, 100), bool), 30)] * 4
    flicker = [
        np.clip(frame.astype(int) + 10 * (index % 2), 0, 255).astype(np.uint8) for index, frame in enumerate(moved)
    ]
    still, steady, flickering = (warping_error(film, moved, inside) for film in ([photo] * 4, moved, flicker))
    assert steady < 0.35
    assert still > 5 * steady  # it does not move as the source does
    assert flickering - steady == pytest.approx(1000 * (10 / 255) ** 2, rel=0.2)


def test_identity_jitter_of_equal_and_of_orthogonal_faces():
    assert identity_jitter(np.array([[1.0, 0], [1, 0]])) == 0
    assert identity_jitter(np.array([[1.0, 0], [0, 1]])) == 1000
