"""Faces that the photo's edge cuts: which part of an aligned crop is photo, and how the missing part is continued."""

import cv2
import numpy as np

# how far beyond the edge, as part of the crop's side, the photo's mirror image gives way to smooth colour: enough to
# hide the edge itself, too little to show a second eye or mouth
MIRRORED_RIM = 0.04


def visible_mask(matrix: np.ndarray, photo_shape: tuple[int, ...], face_size: int) -> np.ndarray | None:
    """Which pixels of a crop aligned by `matrix` (2, 3), photo -> face, lie in the photo: (S, S) bool.

    None where all of them do, or none.
    """
    height, width = photo_shape[:2]
    inverse = cv2.invertAffineTransform(matrix)
    y, x = np.mgrid[:face_size, :face_size]
    columns, rows = (a * x + b * y + c for a, b, c in inverse)
    inside = (columns >= 0) & (columns <= width - 1) & (rows >= 0) & (rows <= height - 1)
    return None if inside.all() or not inside.any() else inside


def continue_smoothly(crop: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """The crop (S, S, C), mirrored beyond the photo's edge, with smooth colour where `inside` (S, S) is False.

    Right behind the edge the mirror image is kept, then the colours around it, smoother with the distance: a constant
    fill, streaks or a mirrored face would make a network draw them. Pixels inside stay as they are.
    """
    distance = cv2.distanceTransform((~inside).astype(np.uint8), cv2.DIST_L2, 5) / crop.shape[0]
    share = np.clip(distance / MIRRORED_RIM, 0, 1)[..., None]
    mixed = crop + (_pull_push(crop, inside) - crop) * share
    if np.issubdtype(crop.dtype, np.integer):
        mixed = np.rint(mixed)
    return np.where(inside[..., None], crop, mixed.astype(crop.dtype))


def _pull_push(crop: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Known pixels averaged down a pyramid, and unknown ones interpolated up it again (Gortler et al. 1996, sec. 4)."""
    weight: np.ndarray = inside.astype(np.float32)
    levels: list[tuple[np.ndarray, np.ndarray]] = [(crop.astype(np.float32) * weight[..., None], weight)]
    while min(levels[-1][1].shape) > 2:
        colour, weight = levels[-1]
        levels.append((cv2.pyrDown(colour), cv2.pyrDown(weight)))
    colour, weight = levels.pop()
    result = colour / np.maximum(weight, 1e-6)[..., None]
    for colour, weight in reversed(levels):
        upsampled = cv2.resize(result, weight.shape[::-1], interpolation=cv2.INTER_LINEAR)
        result = upsampled * (1 - weight[..., None]) + colour
    return result
