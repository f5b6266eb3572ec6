"""Faces to compare an export on: real ones, degraded as far as restoration is for."""

from collections.abc import Sequence

import numpy as np

from daefr_arch.data.degradation import DegradationParams, degraded_image
from daefr_arch.errors import InputError
from daefr_arch.faces.aligner import crop_face, estimate_alignment
from daefr_arch.faces.detector import build_detector

# (sigma of the blur in pixels, downsampling, noise of 255, JPEG quality) of aligned faces of 256 pixels
DEGRADATIONS = ((1.0, 2.0, 2.0, 90), (2.0, 3.0, 6.0, 60), (3.0, 5.0, 10.0, 50), (4.0, 8.0, 15.0, 40))


def degraded_faces(photos: Sequence[np.ndarray], side: int) -> list[np.ndarray]:
    """The largest face of each photo (H, W, 3) BGR uint8, aligned and degraded in four ways: (side, side, 3) each.

    Raises InputError where a photo has no face.
    """
    detector = build_detector(offline=True)
    aligned = []
    for photo in photos:
        found = detector.detect(photo)
        if not found:
            raise InputError('expected a photo with a face')
        largest = max(found, key=lambda face: face.size)
        aligned.append(crop_face(photo, estimate_alignment(largest.landmarks, side), side))
    return [degraded_image(face, _params(index, side)) for index in range(len(DEGRADATIONS)) for face in aligned]


def _params(index: int, side: int) -> DegradationParams:
    sigma, downsample, noise, quality = DEGRADATIONS[index]
    return DegradationParams(
        kernel_size=41,
        sigma_x=sigma * side / 256,
        sigma_y=sigma * side / 256,
        rotation=0.0,
        downsample=max(1.0, downsample * side / 256),
        noise_sigma=noise,
        noise_seed=index,
        jpeg_quality=quality,
    )
