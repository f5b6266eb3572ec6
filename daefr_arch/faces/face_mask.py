"""Soft mask of an aligned face: where the restored face replaces the photo, and how softly it ends."""

from functools import lru_cache

import numpy as np

# widths as parts of the face's side; facexlib erodes and blurs by about the same
BORDER = 0.01
FEATHER = 0.1


@lru_cache(maxsize=8)
def feather_mask(face_size: int) -> np.ndarray:
    """Mask (face_size, face_size) float32 in [0, 1]: 0 at the border, rising smoothly to 1 within 11 % of it."""
    centres = (np.arange(face_size) + 0.5) / face_size
    ramp = np.clip((np.minimum(centres, 1 - centres) - BORDER) / FEATHER, 0, 1)
    ramp = ramp * ramp * (3 - 2 * ramp)  # smoothstep: no visible kink where the ramp begins and ends
    mask = np.outer(ramp, ramp).astype(np.float32)
    mask.setflags(write=False)
    return mask
