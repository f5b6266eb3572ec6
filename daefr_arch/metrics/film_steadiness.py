"""How steady a film is, without truth: warping error (Lai et al.), and jitter of identity."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from daefr_arch.faces.aligner import crop_face
from daefr_arch.metrics.face_embedding import FaceEmbedder

EMBEDDED_SIDE = 256  # of the aligned faces that are embedded
Frames = Sequence[np.ndarray]


def warping_error(film: Frames, source: Frames, masks: Sequence[np.ndarray]) -> float:
    """E_warp of Lai et al. (ECCV 2018), times 1000: mean squared difference of a frame and the next, warped onto it.

    Flow is that of the source, pixels are in [0, 1]; those that are occluded in the source do not count.

    Args:
        film: frames (H, W, 3) BGR uint8.
        source: frames of the film before it was restored.
        masks: (H, W) bool of each frame, where to measure.
    """
    motions = [Motion.between(source[index], source[index + 1]) for index in range(len(film) - 1)]
    errors = [motion.error(film[index], film[index + 1], masks[index]) for index, motion in enumerate(motions)]
    return float(np.mean(errors))


@dataclass(frozen=True)
class Motion:
    """From a frame to the next. flow: (H, W, 2) pixels; visible: (H, W) bool, what is seen in both."""

    flow: np.ndarray
    visible: np.ndarray

    @classmethod
    def between(cls, before: np.ndarray, after: np.ndarray) -> 'Motion':
        """Of frames (H, W, 3) BGR uint8."""
        flow_of = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)  # type: ignore[attr-defined]
        first, second = (cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY) for frame in (before, after))
        forward, backward = flow_of.calc(first, second, None), flow_of.calc(second, first, None)
        return cls(forward, ~_occluded(forward, backward))

    def error(self, before: np.ndarray, after: np.ndarray, mask: np.ndarray) -> float:
        """The pair's part of `warping_error`; NaN where nothing of the mask is visible."""
        seen = self.visible & mask
        if not seen.any():
            return float('nan')
        difference = _moved(after, self.flow) / 255 - before.astype(np.float32) / 255
        return 1000 * float((difference[seen] ** 2).mean())


def _occluded(forward: np.ndarray, backward: np.ndarray) -> np.ndarray:
    """|Fw + Fb|^2 > 0.01 (|Fw|^2 + |Fb|^2) + 0.5."""
    back = _moved(backward, forward)
    squares = (forward**2).sum(axis=2) + (back**2).sum(axis=2)
    return ((forward + back) ** 2).sum(axis=2) > 0.01 * squares + 0.5


def _moved(image: np.ndarray, flow: np.ndarray) -> np.ndarray:
    rows, columns = np.mgrid[: flow.shape[0], : flow.shape[1]].astype(np.float32)
    return cv2.remap(image.astype(np.float32), columns + flow[..., 0], rows + flow[..., 1], cv2.INTER_LINEAR)


def embeddings_of(film: Frames, alignments: Sequence[np.ndarray], embedder: FaceEmbedder) -> np.ndarray:
    """The face embedding (T, D) of each frame. alignments: onto faces of EMBEDDED_SIDE pixels."""
    faces = [crop_face(frame, matrix, EMBEDDED_SIDE) for frame, matrix in zip(film, alignments, strict=True)]
    return np.stack([embedder.embed(face) for face in faces])


def identity_jitter(embeddings: np.ndarray) -> float:
    """Mean of 1 - cosine of two frames that follow each other, times 1000."""
    return 1000 * float(1 - (embeddings[1:] * embeddings[:-1]).sum(axis=1).mean())
