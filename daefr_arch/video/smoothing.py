"""Alignments of a track without jitter and without lag: a polynomial fitted to the frames on both sides."""

from collections.abc import Mapping

import cv2
import numpy as np

REACH = 3.0  # of the fit, in sigmas
FOR_SQUARE, FOR_LINE = 6, 2  # known frames that a fit of this degree needs


def pose_of(matrix: np.ndarray) -> np.ndarray:
    """What a similarity photo -> face (2, 3) is smoothed as: (a, b, x, y) of face -> photo, which is linear in them."""
    inverse = cv2.invertAffineTransform(matrix)
    return np.array([inverse[0, 0], inverse[1, 0], inverse[0, 2], inverse[1, 2]])


def matrix_of(pose: np.ndarray) -> np.ndarray:
    """The similarity (2, 3) photo -> face of a pose."""
    a, b, x, y = pose
    return cv2.invertAffineTransform(np.array([[a, -b, x], [b, a, y]]))


def smoothed(known: Mapping[int, np.ndarray], frame: int, sigma: float) -> np.ndarray:
    """The value at a frame of the polynomial, least squares with Gaussian weights, through values at known frames.

    It needs the same of both sides, so that it does not lag (Savitzky and Golay, 1964); frames without a value, and the
    ends of a track, are filled by the same fit.

    Args:
        known: frame -> value (N,), not empty; those beyond REACH * sigma do not count.
        frame: where; known or not.
        sigma: of the weights, in frames; 0 for the known value itself, or a straight line between the nearest.
    """
    if frame in known and sigma <= 0:
        return known[frame]
    frames = np.array(sorted(known))
    distance = frames - frame
    if sigma > 0 and (near := np.abs(distance) <= REACH * sigma).any():
        weights = np.exp(-0.5 * (distance / sigma) ** 2) * near
    else:
        nearest = {frames[distance <= 0].max(initial=frames[0]), frames[distance >= 0].min(initial=frames[-1])}
        weights = np.isin(frames, list(nearest)).astype(float)
    counted = np.flatnonzero(weights)
    degree = 2 if len(counted) >= FOR_SQUARE else 1 if len(counted) >= FOR_LINE else 0
    basis = np.vander(distance[counted], degree + 1, increasing=True).astype(float)
    root = np.sqrt(weights[counted])[:, None]
    values = np.stack([known[index] for index in frames[counted].tolist()])
    return np.linalg.lstsq(basis * root, values * root, rcond=None)[0][0]
