"""Pasting faces, or changes of them, into the photo: only each face's own rectangle is touched."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from daefr_arch.errors import InputError
from daefr_arch.faces.aligner import bounding_rectangle, enlarged_alignment, warp

MUCH_LARGER = 4  # times the area
MAX_VALUE = {np.dtype(np.uint8): 255, np.dtype(np.uint16): 65535}


@dataclass(frozen=True)
class RestoredFace:
    """What is pasted for one face.

    Attributes:
        pixels: (S, S, 3) BGR: a face, uint8, that takes the photo's place; or a change, float32 in levels of 255, that
            is added to the photo, so that whatever the change leaves alone stays as it is, bit depth and grain too.
        mask: (S, S) float32 in [0, 1], how far.
        matrix: alignment (2, 3), photo -> face.
    """

    pixels: np.ndarray
    mask: np.ndarray
    matrix: np.ndarray

    @property
    def is_change(self) -> bool:
        """Whether the pixels are added to the photo."""
        return self.pixels.dtype == np.float32


@dataclass(frozen=True)
class _Patch:
    """A face's mask in the rectangle (x0, y0, x1, y1) of the photo that it covers."""

    rectangle: tuple[int, int, int, int]
    mask: np.ndarray


def paste_matrix(matrix: np.ndarray, upscale: float) -> np.ndarray:
    """Similarity (2, 3), face -> upscaled photo, of an alignment (photo -> face).

    Pixel centres stay where cv2.resize puts them, at upscale * x + (upscale - 1) / 2. (facexlib adds upscale / 2,
    which shifts the face by half a pixel.)
    """
    return enlarged_alignment(cv2.invertAffineTransform(matrix), upscale)


def paste_faces(photo: np.ndarray, faces: Sequence[RestoredFace], upscale: float) -> None:
    """Pastes faces, in place, into a photo (H, W, 3) BGR uint8 or uint16 that is already upscaled.

    Pixels outside the masks are untouched. Where masks overlap, faces are averaged by their masks, so that neither
    border shows and their order does not matter; a much smaller face, such as a photo in the photo, stays whole, as the
    large one's network saw too little of it. The cost is that of the faces' rectangles.

    Raises:
        InputError: the photo is of another kind.
    """
    if photo.ndim != 3 or photo.shape[2] != 3 or photo.dtype not in MAX_VALUE:
        raise InputError(f'paste: expected a BGR uint8 or uint16 photo (H, W, 3), got {photo.dtype} {photo.shape}')
    matrices, patches = _placed(faces, upscale, photo.shape)
    for index, (face, matrix) in enumerate(zip(faces, matrices, strict=True)):
        alpha = _share(patches, index, added=face.is_change)
        if alpha is not None:
            _blend(photo, face, matrix, alpha, patches[index].rectangle)


def change_of_photo(
    faces: Sequence[RestoredFace], upscale: float, shape: tuple[int, ...], *, multiple: int = 1
) -> tuple[np.ndarray, tuple[int, int]] | None:
    """What `paste_faces` adds to a photo where only changes are pasted: for photos of another kind than its own.

    Args:
        faces: changes.
        upscale: of `paste_faces`.
        shape: (H, W, ...) of the upscaled photo.
        multiple: the corner lies at whole multiples of so many pixels.

    Returns:
        The change (h, w, 3) float32 BGR, of 255, and the (x, y) of its corner; None where nothing changes.
    """
    matrices, patches = _placed(faces, upscale, shape)
    corners = np.array([patch.rectangle for patch in patches if patch.mask.size])
    if not len(corners):
        return None
    left, top = (corners[:, :2].min(axis=0) // multiple * multiple).tolist()
    right, bottom = corners[:, 2:].max(axis=0).tolist()
    change = np.zeros((bottom - top, right - left, 3), np.float32)
    for index, (face, matrix) in enumerate(zip(faces, matrices, strict=True)):
        alpha = _share(patches, index, added=True)
        if alpha is not None:
            rectangle = patches[index].rectangle
            change[_slices(rectangle, (left, top, 0, 0))] += _warped(face, matrix, rectangle) * alpha[:, :, None]
    return change, (left, top)


def _placed(
    faces: Sequence[RestoredFace], upscale: float, shape: tuple[int, ...]
) -> tuple[list[np.ndarray], list[_Patch]]:
    """Where the faces lie in the upscaled photo, and their masks there."""
    matrices = [paste_matrix(face.matrix, upscale) for face in faces]
    patches = [_patch(face.mask, matrix, shape) for face, matrix in zip(faces, matrices, strict=True)]
    _let_small_faces_through(patches)
    return matrices, patches


def _patch(mask: np.ndarray, matrix: np.ndarray, shape: tuple[int, ...]) -> _Patch:
    """The mask warped into its rectangle of a photo of `shape`; the rectangle may be empty."""
    x0, y0, x1, y1 = bounding_rectangle(matrix, (mask.shape[1], mask.shape[0]))
    x0, x1 = np.clip((x0, x1), 0, shape[1]).tolist()
    y0, y1 = np.clip((y0, y1), 0, shape[0]).tolist()
    if x1 <= x0 or y1 <= y0:
        return _Patch((x0, y0, x0, y0), np.zeros((0, 0), np.float32))
    return _Patch((x0, y0, x1, y1), warp(mask, _moved(matrix, x0, y0), (x1 - x0, y1 - y0)))


def _let_small_faces_through(patches: Sequence[_Patch]) -> None:
    """Takes the masks of much smaller faces out of the larger ones', in place."""
    by_area = sorted((patch for patch in patches if patch.mask.size), key=lambda patch: patch.mask.size)
    for index, small in enumerate(by_area):
        for large in by_area[index + 1 :]:
            overlap = _intersection(small.rectangle, large.rectangle)
            if overlap is not None and large.mask.size > MUCH_LARGER * small.mask.size:
                mask = large.mask[_slices(overlap, large.rectangle)]
                mask *= 1 - small.mask[_slices(overlap, small.rectangle)]


def _share(patches: Sequence[_Patch], index: int, *, added: bool) -> np.ndarray | None:
    """Opacity of one face when faces are pasted in order, so that overlapping ones end up averaged by their masks.

    With masks m_i and T = max(1, sum m_i), the result shall be photo + sum a_i * change_i with a_i = m_i / T, where the
    change of a face that takes the photo's place is face_i - photo. What is added needs the opacity a_i; pasting a face
    i and then the later ones j gives the same for the opacity m_i / (T - sum m_j).
    """
    own = patches[index]
    if own.mask.size == 0:
        return None
    total, later = own.mask, None
    for other, patch in enumerate(patches):
        if other == index or (overlap := _intersection(own.rectangle, patch.rectangle)) is None:
            continue
        if total is own.mask:
            total = own.mask.copy()
        here = _slices(overlap, own.rectangle)
        there = patch.mask[_slices(overlap, patch.rectangle)]
        total[here] += there
        if other > index and not added:
            later = np.zeros_like(own.mask) if later is None else later
            later[here] += there
    if total is own.mask:
        return own.mask
    room = np.maximum(total, 1) - (0 if later is None else later)
    return np.divide(own.mask, room, out=np.zeros_like(own.mask), where=own.mask > 0)


def _blend(
    photo: np.ndarray, face: RestoredFace, matrix: np.ndarray, alpha: np.ndarray, rectangle: tuple[int, int, int, int]
) -> None:
    """photo <- photo + alpha * (face - photo), or + alpha * change, inside the rectangle, in place, rounded."""
    x0, y0, x1, y1 = rectangle
    limit = MAX_VALUE[photo.dtype]
    warped = _warped(face, matrix, rectangle)
    target = photo[y0:y1, x0:x1]
    background = target.astype(np.float32)
    mixed = warped.astype(np.float32)
    if limit != 255:
        mixed *= limit / 255
    if not face.is_change:
        mixed -= background
    mixed *= alpha[:, :, None]
    mixed += background
    np.rint(mixed, out=mixed)
    target[:] = mixed.clip(0, limit)


def _warped(face: RestoredFace, matrix: np.ndarray, rectangle: tuple[int, int, int, int]) -> np.ndarray:
    """The face's pixels in a rectangle of the photo."""
    x0, y0, x1, y1 = rectangle
    return warp(face.pixels, _moved(matrix, x0, y0), (x1 - x0, y1 - y0), border_mode=cv2.BORDER_REPLICATE)


def _moved(matrix: np.ndarray, x0: int, y0: int) -> np.ndarray:
    """The matrix with its target's origin moved to (x0, y0)."""
    moved = matrix.copy()
    moved[:, 2] -= (x0, y0)
    return moved


def _intersection(
    first: tuple[int, int, int, int], second: tuple[int, int, int, int]
) -> tuple[int, int, int, int] | None:
    """The rectangle that two rectangles share, None if there is none."""
    x0, y0, x1, y1 = (
        max(first[0], second[0]),
        max(first[1], second[1]),
        min(first[2], second[2]),
        min(first[3], second[3]),
    )
    return (x0, y0, x1, y1) if x0 < x1 and y0 < y1 else None


def _slices(rectangle: tuple[int, int, int, int], origin: tuple[int, int, int, int]) -> tuple[slice, slice]:
    """Indices of a rectangle in an array whose top left pixel is that of `origin`."""
    x0, y0, x1, y1 = rectangle
    return slice(y0 - origin[1], y1 - origin[1]), slice(x0 - origin[0], x1 - origin[0])
