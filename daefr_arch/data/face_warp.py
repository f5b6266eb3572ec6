"""Other people out of known ones: smooth changes of a face's shape."""

import cv2
import numpy as np

GRID = 5  # knots of the displacement, a side


def warp_face(face: np.ndarray, rng: np.random.Generator, *, strength: float) -> np.ndarray:
    """Stretches, shears and bends a face smoothly, (S, S, 3) float32 in [0, 1] -> same.

    At `strength` 1 parts of the face move by about a fortieth of its side against each other, and lengths change by 7 %
    (standard deviations). A network restores a face that it was trained on better than any other: with its shape
    changed it is nearly a new one.
    """
    size = face.shape[0]
    draws = rng.random((GRID, GRID, 2)).astype(np.float32) + rng.random((GRID, GRID, 2)).astype(np.float32) - 1
    bend = cv2.resize(draws, (size, size), interpolation=cv2.INTER_CUBIC) * np.float32(0.06 * strength * size)
    a, b, c, d = ((rng.random(4) * 2 - 1) * 0.12 * strength).astype(np.float32)
    y, x = np.mgrid[:size, :size].astype(np.float32) - np.float32(size / 2)
    centre = np.float32(size / 2)
    columns, rows = centre + (1 + a) * x + b * y + bend[..., 0], centre + c * x + (1 + d) * y + bend[..., 1]
    warped = cv2.remap(face, columns, rows, cv2.INTER_LANCZOS4, borderMode=cv2.BORDER_REFLECT)
    return np.clip(warped, 0, 1)
