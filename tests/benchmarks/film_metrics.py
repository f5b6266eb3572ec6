"""What of a film can be measured with its truth alone: jitter of landmarks."""

import numpy as np

from daefr_arch.faces.detector import FaceDetector
from daefr_arch.metrics.film_steadiness import Frames


def landmarks_of(film: Frames, detector: FaceDetector) -> np.ndarray:
    """The landmarks (T, 5, 2) of each frame's surest face."""
    return np.stack([detector.detect(frame)[0].landmarks for frame in film])


def landmark_jitter(film: np.ndarray, truth: np.ndarray) -> float:
    """Mean length of the second difference of landmarks (T, 5, 2), less the truth's, over the eyes' distance; in %."""
    own, true = (np.diff(points, 2, axis=0) for points in (film, truth))
    eyes = np.linalg.norm(truth[1:-1, 0] - truth[1:-1, 1], axis=1)
    return 100 * float((np.linalg.norm(own - true, axis=2).mean(axis=1) / eyes).mean())
