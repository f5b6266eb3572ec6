"""How steady a film is, and how true its faces: warping error, jitter of landmarks, jitter and truth of identity."""

from collections.abc import Sequence

import cv2
import numpy as np

from daefr_arch.faces.aligner import crop_face
from daefr_arch.faces.detector import FaceDetector
from daefr_arch.metrics.face_embedding import FaceEmbedder

Frames = Sequence[np.ndarray]


def warping_error(film: Frames, source: Frames, masks: Sequence[np.ndarray]) -> float:
    """E_warp of Lai et al. (ECCV 2018), times 1000: mean squared difference of a frame and the next, warped onto it.

    Flow is that of the source, pixels are in [0, 1]; those that are occluded in the source do not count.

    Args:
        film: frames (H, W, 3) BGR uint8.
        source: frames of the film before it was restored.
        masks: (H, W) bool of each frame, where to measure.
    """
    flow_of = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    errors = []
    for index in range(len(film) - 1):
        before, after = (cv2.cvtColor(source[i], cv2.COLOR_BGR2GRAY) for i in (index, index + 1))
        forward, backward = flow_of.calc(before, after, None), flow_of.calc(after, before, None)
        visible = ~_occluded(forward, backward) & masks[index]
        difference = _moved(film[index + 1], forward) / 255 - film[index].astype(np.float32) / 255
        errors.append(float((difference[visible] ** 2).mean()))
    return 1000 * float(np.mean(errors))


def _occluded(forward: np.ndarray, backward: np.ndarray) -> np.ndarray:
    """|Fw + Fb|^2 > 0.01 (|Fw|^2 + |Fb|^2) + 0.5."""
    back = _moved(backward, forward)
    squares = (forward**2).sum(axis=2) + (back**2).sum(axis=2)
    return ((forward + back) ** 2).sum(axis=2) > 0.01 * squares + 0.5


def _moved(image: np.ndarray, flow: np.ndarray) -> np.ndarray:
    rows, columns = np.mgrid[: flow.shape[0], : flow.shape[1]].astype(np.float32)
    return cv2.remap(image.astype(np.float32), columns + flow[..., 0], rows + flow[..., 1], cv2.INTER_LINEAR)


def landmarks_of(film: Frames, detector: FaceDetector) -> np.ndarray:
    """The landmarks (T, 5, 2) of each frame's surest face."""
    return np.stack([detector.detect(frame)[0].landmarks for frame in film])


def landmark_jitter(film: np.ndarray, truth: np.ndarray) -> float:
    """Mean length of the second difference of landmarks (T, 5, 2), less the truth's, over the eyes' distance; in %."""
    own, true = (np.diff(points, 2, axis=0) for points in (film, truth))
    eyes = np.linalg.norm(truth[1:-1, 0] - truth[1:-1, 1], axis=1)
    return 100 * float((np.linalg.norm(own - true, axis=2).mean(axis=1) / eyes).mean())


def embeddings_of(film: Frames, alignments: Sequence[np.ndarray], embedder: FaceEmbedder) -> np.ndarray:
    """The face embedding (T, D) of each frame. alignments: onto faces of 256 pixels."""
    return np.stack(
        [embedder.embed(crop_face(frame, matrix, 256)) for frame, matrix in zip(film, alignments, strict=True)]
    )


def identity_jitter(embeddings: np.ndarray) -> float:
    """Mean of 1 - cosine of two frames that follow each other, times 1000."""
    return 1000 * float(1 - (embeddings[1:] * embeddings[:-1]).sum(axis=1).mean())
