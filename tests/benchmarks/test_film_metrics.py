"""The measures of films, on films of which they are known."""

import numpy as np
import pytest

from tests.benchmarks.film_clips import SIDE, clips
from tests.benchmarks.film_metrics import landmark_jitter


def test_jitter_is_that_of_landmarks_and_not_their_motion():
    truth = np.zeros((50, 5, 2)) + np.arange(50)[:, None, None] ** 1.5
    truth[:, 1] += (40, 0)
    assert landmark_jitter(truth + 3, truth) == pytest.approx(0, abs=1e-9)
    noisy = truth + np.random.default_rng(0).normal(0, 1, truth.shape)
    # the second difference of noise has the deviation sqrt(6), the length of two of them sqrt(pi / 2) times that
    assert landmark_jitter(noisy, truth) == pytest.approx(100 * np.sqrt(6 * np.pi / 2) / 40, rel=0.1)


def test_clips_are_the_same_each_time_and_worse_than_their_truth():
    for first, again in zip(clips(3), clips(3), strict=True):
        assert len(first.film) == len(first.truth) == 3
        assert first.film[0].shape == first.truth[0].shape == (SIDE, SIDE, 3)
        assert all((a == b).all() for a, b in zip(first.film, again.film, strict=True))
        assert np.abs(first.film[1].astype(float) - first.truth[1]).mean() > 2
