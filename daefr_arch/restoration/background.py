"""The photo around the faces, enlarged: by Lanczos, or by an upsampler that is given."""

from typing import Protocol

import cv2
import numpy as np

from daefr_arch.errors import InputError
from daefr_arch.faces.aligner import enlarged_alignment
from daefr_arch.faces.paster import RestoredFace


class BackgroundUpsampler(Protocol):
    """What enlarges the photo: also realesrgan's RealESRGANer, as GFPGAN's callers pass it."""

    def enhance(self, img: np.ndarray, outscale: float) -> tuple[np.ndarray, object]:
        """A BGR photo (H, W, 3) enlarged `outscale` times, of the same dtype; the second value is not used."""


def enlarge_photo(img: np.ndarray, upscale: float, upsampler: BackgroundUpsampler | None = None) -> np.ndarray:
    """A new array: the photo (H, W, 3), uint8 or uint16, at `upscale` times its size, by `upsampler` or Lanczos."""
    height, width = (max(1, int(side * upscale)) for side in img.shape[:2])
    enlarged = img if upsampler is None else upsampler.enhance(img, outscale=upscale)[0]
    if enlarged.dtype != img.dtype:
        raise InputError(f'background upsampler: expected {img.dtype} as it was given, got {enlarged.dtype}')
    if enlarged.shape[:2] != (height, width):
        enlarged = cv2.resize(enlarged, (width, height), interpolation=cv2.INTER_LANCZOS4)
    return enlarged.copy() if np.may_share_memory(enlarged, img) else enlarged


def enlarge_face(face: RestoredFace, upscale: float, upsampler: BackgroundUpsampler) -> RestoredFace:
    """The restored face at `upscale` times its size by `upsampler`, for photos in which it would be enlarged anyway."""
    enlarged = enlarge_photo(face.pixels, upscale, upsampler)
    mask = cv2.resize(face.mask, enlarged.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    return RestoredFace(enlarged, mask, enlarged_alignment(face.matrix, upscale))
