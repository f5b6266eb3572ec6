"""RetinaFace over several scales of a photo.

One pass of RetinaFace finds faces of about 16 to 500 pixels. Photos hold smaller and larger ones: small photos are
also enlarged, large photos shrunk in steps of four, and what the passes found is merged.
"""

from functools import lru_cache
from typing import Protocol

import cv2
import numpy as np

from daefr_arch.errors import InputError
from daefr_arch.faces.detector import DetectedFace
from daefr_arch.faces.orientation import find_faces

ENLARGE_BELOW_PIXELS = 1_500_000  # photos below it also get a pass at twice their size
MAX_PASS_PIXELS = 16_000_000  # bounds the memory of a pass; in larger photos the smallest faces are missed
COARSEST_SIDE = 480  # the last pass sees a photo whose longer side is at most this
SCALE_STEP = 4
# a pass keeps faces up to this size in its own pixels if a coarser pass follows, which sees larger ones whole
LARGEST_FACE_OF_PASS = 320
IOU_THRESHOLD = 0.4
VARIANCES = (0.1, 0.2)  # of RetinaFace's offsets, of places and of the logs of sizes
# coordinates are rounded to parts of a pixel, far below what a detector knows: else the last bits of a device would
# decide how a crop is rounded, and that which code the network takes
PLACES_A_PIXEL = 16
CROPS_OF_PASS = 64  # bounds the memory of second opinions
TEMPLATE_DISTANCE = 0.1  # how far, as part of the crop's side, a face may lie from the template to be the same


class DetectionNetwork(Protocol):
    """The network itself: `TorchRetinaFace`, or `OnnxRetinaFace`."""

    def __call__(self, imgs: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Pictures (N, H, W, 3) BGR uint8 -> for the A anchors of `prior_boxes`, float32: offsets of the boxes
        (N, A, 4), scores of nothing and of a face (N, A, 2), offsets of the landmarks (N, A, 10)."""


class RetinaFaceDetector:
    """FaceDetector on a RetinaFace network. Faces below the score, or the size in pixels, are left out."""

    def __init__(self, network: DetectionNetwork, *, score_threshold: float, min_face_size: float) -> None:
        self.network = network
        self.score_threshold = score_threshold
        self.min_face_size = min_face_size

    def detect(self, img: np.ndarray) -> list[DetectedFace]:
        """The faces of a photo (H, W, 3) BGR uint8, whichever way up it is, the surest first."""
        if img.ndim != 3 or img.shape[2] != 3 or img.dtype != np.uint8:
            raise InputError(f'detector: expected a BGR uint8 photo (H, W, 3), got {img.dtype} {img.shape}')
        return [face for face in find_faces(self, img) if face.size >= self.min_face_size]

    def find(self, img: np.ndarray, *, halved: bool = False) -> list[DetectedFace]:
        """All that looks like a face as the photo stands, the surest first. halved: searched at half the size."""
        scales = [scale / 2 for scale in pyramid(*img.shape[:2])] if halved else pyramid(*img.shape[:2])
        found = [self._detect_at(img, scale, is_coarsest=scale == scales[-1]) for scale in scales]
        rows = np.concatenate(found)
        rows = rows[without_doubles(rows[:, :4], rows[:, 4])]
        places = np.rint(rows * PLACES_A_PIXEL) / PLACES_A_PIXEL
        return [
            DetectedFace(tuple(place[:4].tolist()), float(row[4]), place[5:].reshape(5, 2))
            for place, row in zip(places, rows, strict=True)
        ]

    def score_templates(self, crops: np.ndarray, templates: np.ndarray) -> np.ndarray:
        """How sure the network is (N,) of a face at the templates (N, 5, 2) of crops (N, S, S, 3) BGR uint8."""
        size = crops.shape[1]
        anchors = prior_boxes(size, size)
        scores = []
        for start in range(0, len(crops), CROPS_OF_PASS):
            _, confidence, offsets = self.network(crops[start : start + CROPS_OF_PASS])
            expected = templates[start : start + CROPS_OF_PASS, None].astype(np.float32)
            points = decoded_landmarks(offsets, anchors) * np.float32(size)
            distance = np.sqrt(((points - expected) ** 2).sum(axis=3).mean(axis=2))
            scores.append((confidence[..., 1] * (distance < TEMPLATE_DISTANCE * size)).max(axis=1))
        return np.concatenate(scores).astype(np.float64)

    def _detect_at(self, img: np.ndarray, scale: float, *, is_coarsest: bool) -> np.ndarray:
        """Rows (N, 15) of box, score and landmarks in the photo's pixels, found in the photo resized by `scale`."""
        height, width = (max(1, round(side * scale)) for side in img.shape[:2])
        if (height, width) != img.shape[:2]:
            interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
            img_pass = cv2.resize(img, (width, height), interpolation=interpolation)
        else:
            img_pass = img
        offsets, scores, landmarks = (output[0] for output in self.network(img_pass[None]))
        keep = scores[:, 1] > self.score_threshold
        anchors = prior_boxes(height, width)[keep]
        # decoded coordinates are fractions of the pass, whatever its size: scaled to the photo's own pixels
        size = np.array(img.shape[1::-1], np.float32)
        boxes = decoded_boxes(offsets[keep], anchors) * np.tile(size, 2)
        points = (decoded_landmarks(landmarks[keep], anchors) * size).reshape(-1, 10)
        rows = np.concatenate((boxes, scores[keep, 1:], points), axis=1).astype(np.float64)
        if is_coarsest:
            return rows
        return rows[(rows[:, 2:4] - rows[:, :2]).max(axis=1) <= LARGEST_FACE_OF_PASS / scale]


def decoded_boxes(offsets: np.ndarray, anchors: np.ndarray) -> np.ndarray:
    """Offsets (A, 4) from anchors (A, 4) -> boxes x0, y0, x1, y1, fractions of the picture; facexlib's `decode`."""
    centres = anchors[:, :2] + offsets[:, :2] * np.float32(VARIANCES[0]) * anchors[:, 2:]
    sizes = anchors[:, 2:] * np.exp(offsets[:, 2:] * np.float32(VARIANCES[1]))
    start = centres - sizes / 2
    return np.concatenate((start, start + sizes), axis=1)


def decoded_landmarks(offsets: np.ndarray, anchors: np.ndarray) -> np.ndarray:
    """Offsets (..., A, 10) from anchors (A, 4) -> points (..., A, 5, 2), fractions of the picture."""
    points = offsets.reshape(*offsets.shape[:-1], 5, 2)
    return anchors[:, None, :2] + points * np.float32(VARIANCES[0]) * anchors[:, None, 2:]


def without_doubles(boxes: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Indices of the boxes (N, 4) without those that overlap a surer one by IOU_THRESHOLD; the surest first."""
    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    order = np.argsort(-scores, kind='stable')
    kept = []
    while order.size:
        first, others = order[0], order[1:]
        kept.append(first)
        start = np.maximum(boxes[first, :2], boxes[others, :2])
        end = np.minimum(boxes[first, 2:], boxes[others, 2:])
        common = np.prod(np.clip(end - start, 0, None), axis=1)
        order = others[common <= IOU_THRESHOLD * (areas[first] + areas[others] - common)]
    return np.array(kept, np.intp)


def pyramid(height: int, width: int) -> list[float]:
    """The scales at which a photo is searched, from the finest to the coarsest."""
    pixels = height * width
    finest = 2.0 if pixels < ENLARGE_BELOW_PIXELS else min(1.0, (MAX_PASS_PIXELS / pixels) ** 0.5)
    scales = [finest]
    while max(height, width) * scales[-1] > COARSEST_SIDE:
        scales.append(scales[-1] / SCALE_STEP)
    return scales


@lru_cache(maxsize=8)
def prior_boxes(height: int, width: int) -> np.ndarray:
    """RetinaFace's anchors (N, 4) float32 for an input of this size: centre x, y, width, height as fractions of it.

    The same numbers as facexlib's PriorBox, whose Python loop takes seconds for a photo of some megapixels.
    """
    levels = []
    for stride, sizes in ((8, (16, 32)), (16, (64, 128)), (32, (256, 512))):
        y, x, side = np.meshgrid(
            (np.arange(-(-height // stride), dtype=np.float32) + np.float32(0.5)) * stride,
            (np.arange(-(-width // stride), dtype=np.float32) + np.float32(0.5)) * stride,
            np.array(sizes, np.float32),
            indexing='ij',
        )
        levels.append(np.stack((x / width, y / height, side / width, side / height), axis=-1).reshape(-1, 4))
    anchors = np.concatenate(levels).astype(np.float32)
    anchors.setflags(write=False)
    return anchors
