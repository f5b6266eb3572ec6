"""Looking for a face where somebody points: closer than the whole photo was searched, and at a slant."""

from dataclasses import dataclass, replace

import cv2
import numpy as np

from daefr_arch.faces.detector import DetectedFace, FaceDetector

SHARES = (1 / 8, 1 / 4, 1 / 2)  # sides of the squares that are searched, of the photo's longer side
SMALLEST_SQUARE, SEARCHED_AT = 96, 512  # pixels: of the photo, and after it was enlarged or shrunk
SLANTS = (0.0, 45.0)  # degrees; the detector itself tries quarter turns
SAME_FACE = 0.4  # intersection over union of boxes


@dataclass(frozen=True)
class FaceAt:
    """A FaceDetector that finds the one face at a point of the photo, which no search of the whole photo found.

    Args:
        detector: what finds faces in a part of the photo.
        x, y: the point in pixels of the photo.
    """

    detector: FaceDetector
    x: float
    y: float

    def detect(self, img: np.ndarray) -> list[DetectedFace]:
        """The surest face whose box holds the point, or none; img: (H, W, 3) BGR uint8."""
        longer = max(img.shape[:2])
        for side in sorted({max(SMALLEST_SQUARE, share * longer) for share in SHARES}):
            for slant in SLANTS:
                faces = [face for face in self._search(img, side, slant) if self._holds_point(face)]
                if faces:
                    return [max(faces, key=lambda face: face.score)]
        return []

    def _search(self, img: np.ndarray, side: float, slant: float) -> list[DetectedFace]:
        """The faces of the square around the point, turned by so many degrees, in coordinates of the photo."""
        scale = SEARCHED_AT / side
        matrix = cv2.getRotationMatrix2D((self.x, self.y), slant, scale)
        matrix[:, 2] = matrix[:, 2] + (SEARCHED_AT / 2 - self.x, SEARCHED_AT / 2 - self.y)
        flags = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
        square = cv2.warpAffine(img, matrix, (SEARCHED_AT, SEARCHED_AT), flags=flags, borderMode=cv2.BORDER_REPLICATE)
        back = cv2.invertAffineTransform(matrix)
        return [_moved(face, back) for face in self.detector.detect(square)]

    def _holds_point(self, face: DetectedFace) -> bool:
        x0, y0, x1, y1 = face.box
        return x0 <= self.x <= x1 and y0 <= self.y <= y1


def is_same_face(box: tuple[float, ...], other: tuple[float, ...]) -> bool:
    """Whether two boxes (x0, y0, x1, y1) are of one face."""
    width = min(box[2], other[2]) - max(box[0], other[0])
    height = min(box[3], other[3]) - max(box[1], other[1])
    shared = max(0.0, width) * max(0.0, height)
    areas = [(x1 - x0) * (y1 - y0) for x0, y0, x1, y1 in (box, other)]
    return shared > SAME_FACE * (sum(areas) - shared)


def _moved(face: DetectedFace, matrix: np.ndarray) -> DetectedFace:
    """The face after the affine map (2, 3); its box is the upright one around the moved corners."""
    x0, y0, x1, y1 = face.box
    corners = np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)])
    corners, landmarks = (points @ matrix[:, :2].T + matrix[:, 2] for points in (corners, face.landmarks))
    (x0, y0), (x1, y1) = corners.min(axis=0).tolist(), corners.max(axis=0).tolist()
    return replace(face, box=(x0, y0, x1, y1), landmarks=landmarks)
