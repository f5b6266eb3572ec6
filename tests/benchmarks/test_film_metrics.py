"""The measures of films, on films of which they are known."""

import cv2
import numpy as np
import pytest

from tests.benchmarks.film_clips import SIDE, clips
from tests.benchmarks.film_metrics import identity_jitter, landmark_jitter, warping_error
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


def test_jitter_is_that_of_landmarks_and_not_their_motion():
    truth = np.zeros((50, 5, 2)) + np.arange(50)[:, None, None] ** 1.5
    truth[:, 1] += (40, 0)
    assert landmark_jitter(truth + 3, truth) == pytest.approx(0, abs=1e-9)
    noisy = truth + np.random.default_rng(0).normal(0, 1, truth.shape)
    # the second difference of noise has the deviation sqrt(6), the length of two of them sqrt(pi / 2) times that
    assert landmark_jitter(noisy, truth) == pytest.approx(100 * np.sqrt(6 * np.pi / 2) / 40, rel=0.1)


def test_identity_jitter_of_equal_and_of_orthogonal_faces():
    assert identity_jitter(np.array([[1.0, 0], [1, 0]])) == 0
    assert identity_jitter(np.array([[1.0, 0], [0, 1]])) == 1000


def test_clips_are_the_same_each_time_and_worse_than_their_truth():
    for first, again in zip(clips(3), clips(3), strict=True):
        assert len(first.film) == len(first.truth) == 3
        assert first.film[0].shape == first.truth[0].shape == (SIDE, SIDE, 3)
        assert all((a == b).all() for a, b in zip(first.film, again.film, strict=True))
        assert np.abs(first.film[1].astype(float) - first.truth[1]).mean() > 2
