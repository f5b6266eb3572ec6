"""Pasting faces, ours and facexlib's `paste_faces_to_input_image`, side by side in one run.

`rows()` measures; `python -m tests.benchmarks.paste_benchmark` prints. Both sides enlarge the photo by Lanczos and get
the same restored faces of 256 pixels.
"""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from facexlib.utils.face_restoration_helper import FaceRestoreHelper

from daefr_arch.faces.aligner import estimate_alignment, face_template
from daefr_arch.faces.face_mask import feather_mask
from daefr_arch.faces.paster import RestoredFace, paste_faces
from daefr_arch.restoration.background import enlarge_photo

FACE_SIZE = 256


@dataclass(frozen=True)
class PasteRow:
    """Seconds of one case: the median of the repetitions, and the slowest less the fastest of them."""

    width: int
    height: int
    faces: int
    upscale: int
    ours: float
    ours_spread: float
    facexlib: float
    facexlib_spread: float

    @property
    def speedup(self) -> float:
        """facexlib's seconds over ours."""
        return self.facexlib / self.ours


def rows(
    *, width: int = 4000, height: int = 3000, faces: int = 20, upscales: tuple[int, ...] = (1, 2), repetitions: int = 1
) -> list[PasteRow]:
    """Measures both pasters on a photo of noise with `faces` faces on a grid, turned by up to 30 degrees.

    facexlib needs minutes for many repetitions of the default case: it runs `repetitions` times, ours at least thrice.
    """
    rng = np.random.default_rng(0)
    photo = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    restored = [rng.integers(0, 256, (FACE_SIZE, FACE_SIZE, 3), dtype=np.uint8) for _ in range(faces)]
    matrices = [estimate_alignment(points, FACE_SIZE) for points in _landmarks(width, height, faces, rng)]
    result = []
    for upscale in upscales:
        ours, spread = _seconds(lambda s=upscale: _ours(photo, restored, matrices, s), max(3, repetitions))
        theirs, their_spread = _seconds(lambda s=upscale: _facexlib(photo, restored, matrices, s), repetitions)
        result.append(PasteRow(width, height, faces, upscale, ours, spread, theirs, their_spread))
    return result


def _ours(photo: np.ndarray, restored: list[np.ndarray], matrices: list[np.ndarray], upscale: int) -> np.ndarray:
    mask = feather_mask(FACE_SIZE)
    faces = [RestoredFace(face, mask, matrix) for face, matrix in zip(restored, matrices, strict=True)]
    enlarged = enlarge_photo(photo, upscale)
    paste_faces(enlarged, faces, upscale)
    return enlarged


def _facexlib(photo: np.ndarray, restored: list[np.ndarray], matrices: list[np.ndarray], upscale: int) -> np.ndarray:
    helper = FaceRestoreHelper.__new__(FaceRestoreHelper)  # its constructor would download two networks
    helper.upscale_factor, helper.face_size, helper.use_parse = upscale, (FACE_SIZE, FACE_SIZE), False
    helper.clean_all()
    helper.input_img, helper.restored_faces, helper.affine_matrices = photo, restored, matrices
    helper.get_inverse_affine()
    return helper.paste_faces_to_input_image()


def _landmarks(width: int, height: int, faces: int, rng: np.random.Generator) -> list[np.ndarray]:
    """Landmarks of faces that are `FACE_SIZE` pixels wide in the photo, on a grid with five columns."""
    lines = -(-faces // 5)
    result = []
    for index in range(faces):
        centre = np.array([(index % 5 + 0.5) * width / 5, (index // 5 + 0.5) * height / lines])
        turn = cv2.getRotationMatrix2D((FACE_SIZE / 2, FACE_SIZE / 2), rng.uniform(-30, 30), 1)
        points = face_template(FACE_SIZE) @ turn[:, :2].T + turn[:, 2]
        result.append(points + centre - FACE_SIZE / 2)
    return result


def _seconds(function: Callable[[], object], repetitions: int) -> tuple[float, float]:
    """Median and spread of the seconds that a call takes."""
    seconds = []
    for _ in range(repetitions):
        start = time.perf_counter()
        function()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds), max(seconds) - min(seconds)


if __name__ == '__main__':
    for row in rows():
        print(
            f'{row.faces} faces into {row.width}x{row.height}, upscale {row.upscale}: '
            f'ours {row.ours:.2f} s (+-{row.ours_spread:.2f}), facexlib {row.facexlib:.1f} s, {row.speedup:.0f} times'
        )
