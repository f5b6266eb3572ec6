"""Aligning faces by facexlib's conventions: the FFHQ template of five landmarks and a similarity warp of the photo.

Coordinates are OpenCV's: (x, y), the centre of the top left pixel is (0, 0). Matrices are 2x3 and map photo -> face.
"""

import cv2
import numpy as np

from daefr_arch.errors import InputError
from daefr_arch.faces.photo_edge import continue_smoothly, visible_mask

# facexlib's FaceRestoreHelper.face_template: eyes, nose, corners of the mouth in a 512x512 face
FFHQ_TEMPLATE_512 = np.array(
    [
        [192.98138, 239.94708],
        [318.90277, 240.1936],
        [256.63416, 314.01935],
        [201.26117, 371.41043],
        [313.08905, 371.15118],
    ]
)
BORDER_GREY_BGR = (135, 133, 132)  # what facexlib puts beside the photo
LARGEST_SIDE = 2048  # of a crop, in pixels
BORDER_MODES = {
    'constant': cv2.BORDER_CONSTANT,
    'reflect101': cv2.BORDER_REFLECT101,
    'reflect': cv2.BORDER_REFLECT,
}


def face_template(face_size: int) -> np.ndarray:
    """The five landmarks (5, 2) of an aligned face of `face_size` pixels a side."""
    return FFHQ_TEMPLATE_512 * (face_size / 512)


def estimate_alignment(landmarks: np.ndarray, face_size: int) -> np.ndarray:
    """Similarity (2, 3) that maps the photo's landmarks (5, 2) onto the template, by least median of squares.

    Raises InputError where no similarity exists, as for landmarks that coincide.
    """
    points = np.asarray(landmarks, dtype=np.float64)
    if points.shape != (5, 2) or not np.isfinite(points).all():
        raise InputError(f'expected five finite landmarks (5, 2), got an array of shape {points.shape}')
    matrix, _ = cv2.estimateAffinePartial2D(points, face_template(face_size), method=cv2.LMEDS)
    if matrix is None or not np.isfinite(matrix).all() or similarity_scale(matrix) == 0:
        raise InputError(f'no similarity maps the landmarks {points.round(1).tolist()} onto a face')
    return matrix


def enlarged_alignment(matrix: np.ndarray, factor: float) -> np.ndarray:
    """The alignment (2, 3) onto a face of `factor` times as many pixels a side; centres lie as after cv2.resize."""
    enlarged = matrix * factor
    enlarged[:, 2] += (factor - 1) / 2
    return enlarged


def alignment_error(landmarks: np.ndarray, matrix: np.ndarray, face_size: int) -> float:
    """How far aligned landmarks lie from the template: root of the mean squared distance, as part of the face's side.

    Below 0.03 for frontal faces; 0.05 and more for profiles.
    """
    aligned = landmarks @ matrix[:, :2].T + matrix[:, 2]
    return float(np.sqrt(((aligned - face_template(face_size)) ** 2).sum(axis=1).mean()) / face_size)


def similarity_scale(matrix: np.ndarray) -> float:
    """How many pixels of the target one pixel of the source becomes."""
    return float(np.hypot(matrix[0, 0], matrix[1, 0]))


def own_side(matrix: np.ndarray, smallest: int) -> int:
    """The side of a crop that holds the face's own detail: `smallest`, doubled until it does, LARGEST_SIDE at most.

    matrix: alignment (2, 3), photo -> face of `smallest` pixels a side.
    """
    side = smallest
    while side * similarity_scale(matrix) < smallest and 2 * side <= max(smallest, LARGEST_SIDE):
        side *= 2
    return side


def crop_at_own_side(img: np.ndarray, matrix: np.ndarray, smallest: int) -> tuple[np.ndarray, np.ndarray]:
    """The face at its own resolution: a crop (S, S, 3) of `own_side`, in the photo's dtype, and the alignment onto it.

    matrix: onto a face of `smallest` pixels a side, (2, 3) as the one returned. The photo's colours go on beside it.
    """
    side = own_side(matrix, smallest)
    matrix = enlarged_alignment(matrix, side / smallest)
    return crop_face(img, matrix, side, border_mode='smooth'), matrix


def crop_face(img: np.ndarray, matrix: np.ndarray, face_size: int, *, border_mode: str = 'constant') -> np.ndarray:
    """The aligned face (face_size, face_size, C) of a photo (H, W, C), in the photo's dtype and channel order.

    As FaceRestoreHelper.align_warp_face, but without its aliasing where the face is over twice as large as the crop.
    border_mode: 'constant' (facexlib's grey beside the photo), 'reflect', 'reflect101', or 'smooth': the photo's
    colours continued, which gives a network nothing to draw (`photo_edge`).
    """
    if border_mode == 'smooth':
        crop = crop_face(img, matrix, face_size, border_mode='reflect101')
        inside = visible_mask(matrix, img.shape, face_size)
        return crop if inside is None else continue_smoothly(crop, inside)
    if border_mode not in BORDER_MODES:
        raise InputError(f'border_mode: expected one of {", ".join(BORDER_MODES)}, smooth, got {border_mode!r}')
    grey = tuple(value * 257 if img.dtype == np.uint16 else value for value in BORDER_GREY_BGR)
    return warp(img, matrix, (face_size, face_size), border_mode=BORDER_MODES[border_mode], border_value=grey)


def warp(
    img: np.ndarray,
    matrix: np.ndarray,
    size: tuple[int, int],
    *,
    border_mode: int = cv2.BORDER_CONSTANT,
    border_value: tuple[float, ...] = (0, 0, 0),
) -> np.ndarray:
    """`img` (H, W[, C]) warped by a similarity into (width, height) = `size`, bilinear.

    Where it shrinks by two or more, only the part in sight is averaged down to the next whole factor first.
    """
    factor = int(1 / similarity_scale(matrix))
    if factor >= 2:
        img, matrix = _shrink_visible(img, matrix, size, factor)
    return cv2.warpAffine(img, matrix, size, flags=cv2.INTER_LINEAR, borderMode=border_mode, borderValue=border_value)


def _shrink_visible(
    img: np.ndarray, matrix: np.ndarray, size: tuple[int, int], factor: int
) -> tuple[np.ndarray, np.ndarray]:
    """The part of `img` that the warp shows, averaged over blocks of `factor` pixels, and the matrix for it."""
    height, width = img.shape[:2]
    x0, y0, x1, y1 = bounding_rectangle(cv2.invertAffineTransform(matrix), size)
    x0, y0 = (max(0, start // factor * factor) for start in (x0, y0))
    x1 = min(width, x0 + -(-(max(x1, x0 + 1) - x0) // factor) * factor)
    y1 = min(height, y0 + -(-(max(y1, y0 + 1) - y0) // factor) * factor)
    if x1 <= x0 or y1 <= y0:  # nothing of the image is in sight
        return img, matrix
    part = img[y0:y1, x0:x1]
    columns, rows = -(-part.shape[1] // factor), -(-part.shape[0] // factor)
    missing = (0, rows * factor - part.shape[0], 0, columns * factor - part.shape[1])
    if any(missing):
        part = cv2.copyMakeBorder(part, *missing, cv2.BORDER_REPLICATE)
    small = cv2.resize(part, (columns, rows), interpolation=cv2.INTER_AREA)
    # pixel centres: x = x0 + factor * u + (factor - 1) / 2
    shrunk = matrix.copy()
    shrunk[:, :2] *= factor
    shrunk[:, 2] += matrix[:, :2] @ (np.array([x0, y0]) + (factor - 1) / 2)
    return small, shrunk


def bounding_rectangle(matrix: np.ndarray, size: tuple[int, int]) -> tuple[int, int, int, int]:
    """(x0, y0, x1, y1), end exclusive: the pixels that a warped image of (width, height) = `size` covers."""
    width, height = size
    corners = np.array([[-1, -1], [width, -1], [-1, height], [width, height]], dtype=np.float64)
    warped = corners @ matrix[:, :2].T + matrix[:, 2]
    x0, y0 = np.floor(warped.min(axis=0)).astype(int)
    x1, y1 = np.ceil(warped.max(axis=0)).astype(int) + 1
    return int(x0), int(y0), int(x1), int(y1)
