"""Faces over time: found again, aligned without jitter, restored without flicker."""

import cv2
import numpy as np
import pytest

from daefr_arch.faces.aligner import estimate_alignment, face_template
from daefr_arch.faces.detector import DetectedFace
from daefr_arch.faces.fusion import FusedFace
from daefr_arch.restoration.photo_work import PhotoWork
from daefr_arch.video.ahead import StepClock, ahead
from daefr_arch.video.film_frame import FilmFrame
from daefr_arch.video.follower import Follower
from daefr_arch.video.shots import CutDetector
from daefr_arch.video.smoothing import matrix_of, pose_of, smoothed
from daefr_arch.video.steadier import Steadier
from daefr_arch.video.tracker import Tracker
from daefr_arch.video.video_info import SourceFrame
from tests.faces.photos import astronaut, grace_hopper

SIZE = 256


def face_at(x, y, size=60.0):
    landmarks = face_template(size) + np.array([x - size / 2, y - size / 2])
    return DetectedFace((x - size / 2, y - size / 2, x + size / 2, y + size / 2), 0.99, landmarks)


def film(*found, cuts=(0,)):
    return [FilmFrame(SourceFrame(i, i, 1, None), i in cuts, list(faces)) for i, faces in enumerate(found)]


def centres(frames, **options):
    """For each frame the track and the centre of each followed face."""
    follower = Follower(face_size=SIZE, **{'sigma': 0, **options})
    result = []
    for _, faces in follower.followed(frames):
        points = [cv2.invertAffineTransform(matrix) @ (SIZE / 2, SIZE / 2, 1) for _, matrix, _ in faces]
        result.append([(track, *point.round(1)) for (track, _, _), point in zip(faces, points, strict=True)])
    return result


def test_tracks_follow_faces_that_cross_and_end_at_cuts():
    tracker = Tracker()
    for index in range(20):
        left, right = face_at(50 + 5 * index, 60), face_at(200 - 5 * index, 110)
        if index % 2:
            assert tracker.assign(index, [left, right]) == [1, 0]
        else:
            assert tracker.assign(index, [right, left]) == [0, 1]
    tracker.cut()
    assert tracker.assign(20, [face_at(150, 60)]) == [2]


def test_a_face_of_one_frame_is_dropped_and_a_short_gap_filled():
    found = [[face_at(100 + 2 * i, 80)] for i in range(12)]
    found[5] = found[6] = []
    found[3] = [*found[3], face_at(250, 200)]
    faces = centres(film(*found))
    assert [len(one) for one in faces] == [1] * 12
    assert [one[0][0] for one in faces] == [0] * 12
    np.testing.assert_allclose([one[0][1] for one in faces], [100 + 2 * i for i in range(12)], atol=0.6)


def test_a_face_does_not_outlive_its_last_frame_or_a_long_gap():
    found = [[face_at(100, 80)] for _ in range(30)]
    for index in (*range(5, 18), *range(25, 30)):
        found[index] = []
    faces = centres(film(*found), sigma=2)
    assert [bool(one) for one in faces] == [bool(one) for one in found]
    assert faces[0][0][0] != faces[20][0][0]


def test_a_shot_of_one_frame_keeps_its_face():
    faces = centres(film(*[[face_at(100, 80)]] * 3, cuts=(0, 1, 2)))
    assert [len(one) for one in faces] == [1, 1, 1]


def test_alignments_are_smoothed_without_lag_and_never_across_a_cut():
    random = np.random.default_rng(0)
    true = np.concatenate([100 + 3.0 * np.arange(20), 200 - 2.0 * np.arange(20)])
    noisy = true + random.normal(0, 1, 40)
    frames = film(*[[face_at(x, 80)] for x in noisy], cuts=(0, 20))
    error = {}
    for sigma in (0, 3):
        faces = centres(frames, sigma=sigma)
        error[sigma] = np.abs([one[0][1] for one in faces] - true)
        for frame in frames:
            frame.tracks = []
    assert error[3].mean() < 0.75 * error[0].mean()
    assert error[3][18:22].max() < 2.5  # the motion turns round at the cut: a filter across it would be far off
    jitter = {sigma: np.abs(np.diff(values, 2)).mean() for sigma, values in error.items()}
    assert jitter[3] < 0.4 * jitter[0]


def test_detecting_every_third_frame_fills_the_rest():
    found = [[face_at(100 + 2 * i, 80)] if i % 3 == 0 else [] for i in range(14)]
    faces = centres(film(*found), every=3)
    assert [len(one) for one in faces] == [1] * 14
    np.testing.assert_allclose([one[0][1] for one in faces], [100 + 2 * i for i in range(14)], atol=2)


def test_a_polynomial_is_its_own_smoothing():
    known = {i: np.array([i**2 - 3.0 * i, 5.0]) for i in range(0, 20) if i != 9}
    for frame in (0, 4, 9, 19):
        np.testing.assert_allclose(smoothed(known, frame, 2.5), [frame**2 - 3.0 * frame, 5.0], atol=1e-6)


def test_a_pose_is_its_matrix():
    matrix = estimate_alignment(face_template(70) @ np.array([[0.9, 0.3], [-0.3, 0.9]]) + 40, SIZE)
    np.testing.assert_allclose(matrix_of(pose_of(matrix)), matrix, atol=1e-9)


def test_cuts_are_found_and_motion_is_none():
    detector = CutDetector()
    first, second = (cv2.resize(photo, (320, 240)) for photo in (astronaut(), grace_hopper()))
    shown = [np.roll(first, int(2.5 * i**1.7), axis=1) for i in range(6)] + [
        np.roll(second, 4 * i, axis=0) for i in range(6)
    ]
    darker = [cv2.convertScaleAbs(shown[-1], alpha=1 - 0.05 * i) for i in range(6)]
    assert [detector.is_cut(frame) for frame in shown + darker] == [i in (0, 6) for i in range(12)] + [False] * 6


def _face(shift, change):
    """A crop whose content moved by `shift` pixels, and what a network made of it."""
    crop = np.roll(cv2.resize(astronaut()[40:200, 150:310], (SIZE, SIZE)), shift, axis=1)
    face = np.clip(crop.astype(np.float32) + change, 0, 255)
    return crop, FusedFace(np.rint(face).astype(np.uint8), face - crop, None)


def _steadied(faces, steadiness, tracks=None):
    frames = film(*[[] for _ in faces])
    for index, (frame, (crop, fused)) in enumerate(zip(frames, faces, strict=True)):
        frame.work = PhotoWork(crop[:0], crops=[crop], restored=[fused])
        frame.restored_tracks = [tracks[index] if tracks else 0]
    return [frame.work.restored[0].face.astype(float) for frame in Steadier(steadiness, StepClock()).through(frames)]


def test_flicker_is_averaged_away_and_motion_is_not_smeared():
    random = np.random.default_rng(0)
    noise = [cv2.resize(random.normal(0, 12, (32, 32, 3)).astype(np.float32), (SIZE, SIZE)) for _ in range(9)]
    faces = [_face(index, change) for index, change in enumerate(noise)]
    steadied = _steadied(faces, 1.0)
    inside = np.s_[30:-30, 30:-30]
    before, after = (
        [np.abs(face - crop)[inside].mean() for face, (crop, _) in zip(pictures, faces, strict=True)]
        for pictures in ([fused.face.astype(float) for _, fused in faces], steadied)
    )
    assert np.mean(after) < 0.6 * np.mean(before)
    sharp = [cv2.Laplacian(face[inside].mean(axis=2), cv2.CV_64F).var() for face in (steadied[4], faces[4][0])]
    assert sharp[0] > 0.6 * sharp[1]


def test_other_tracks_and_kept_faces_are_left_alone():
    faces = [_face(0, 40.0 * index) for index in range(3)]
    apart = _steadied(faces, 1.0, tracks=[0, 1, 2])
    assert all((after == fused.face).all() for after, (_, fused) in zip(apart, faces, strict=True))
    kept = [_face(index, 0.0) for index in range(3)]
    assert all((after == crop).all() for after, (crop, _) in zip(_steadied(kept, 1.0), kept, strict=True))
    none = _steadied(faces, 0.0)
    assert all((after == fused.face).all() for after, (_, fused) in zip(none, faces, strict=True))


def test_steps_run_ahead_within_bounds_and_hand_on_errors():
    made = []

    def numbers():
        for number in range(100):
            made.append(number)
            yield number
            if number == 50:
                raise ValueError('broken')

    taken = ahead(numbers(), 3, 'numbers')
    assert next(taken) == 0
    for number in range(1, 51):
        assert next(taken) == number
        assert made[-1] <= number + 5
    with pytest.raises(ValueError, match='broken'):
        next(taken)
    chained = ahead(ahead(iter(range(1000)), 2, 'first'), 2, 'second')
    assert next(chained) == 0
    chained.close()
