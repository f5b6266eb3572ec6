"""A decoded photo in memory: pixels, opacity and the metadata that its file is written back with."""

from dataclasses import dataclass, replace

import cv2
import numpy as np

from daefr_arch.metadata.metadata import NOTHING, SRGB, Metadata


@dataclass(frozen=True)
class Photo:
    """A decoded image file, upright.

    Attributes:
        pixels: BGR (H, W, 3), uint8 in [0, 255] or uint16 in [0, 65535].
        alpha: opacity (H, W) of the same type, or None for an opaque photo.
        grey: whether the photo holds no colour: one channel in the file, or three equal ones.
        icc_profile: ICC profile of `pixels`, or None for sRGB.
        metadata: what else the file carries, made to describe the upright photo.
        warnings: what was lost in reading, one phrase each.
        damaged: whether the file was cut or damaged, so that pixels are missing or stand for missing ones.
    """

    pixels: np.ndarray
    alpha: np.ndarray | None = None
    grey: bool = False
    icc_profile: bytes | None = None
    metadata: Metadata = NOTHING
    warnings: tuple[str, ...] = ()
    damaged: bool = False

    def with_pixels(self, pixels: np.ndarray) -> 'Photo':
        """This photo with other pixels (h, w, 3), BGR uint8 or uint16.

        Alpha is resized to them, the pixels of a grey photo lose their colour, metadata is kept.
        """
        alpha = self.alpha
        if alpha is not None:
            alpha = as_uint8(alpha) if pixels.dtype == np.uint8 else as_uint16(alpha)
            height, width = pixels.shape[:2]
            alpha = cv2.resize(alpha, (width, height), interpolation=cv2.INTER_LINEAR)
        return replace(self, pixels=without_colour(pixels) if self.grey else pixels, alpha=alpha)

    def in_srgb(self, pixels: np.ndarray) -> 'Photo':
        """This photo with other pixels (h, w, 3), BGR uint8 in sRGB; its warnings are what is lost by that."""
        lost = [('transparency', self.alpha is not None), ('16 bits a channel', self.pixels.dtype != np.uint8)]
        lost.append(('the colour profile, the face is sRGB', self.icc_profile is not None))
        warnings = tuple(f'of an aligned face is lost: {what}' for what, is_lost in lost if is_lost)
        metadata = replace(self.metadata, colour=SRGB.colour)
        return replace(self, pixels=pixels, alpha=None, icc_profile=None, metadata=metadata, warnings=warnings)


def as_uint8(pixels: np.ndarray) -> np.ndarray:
    """uint8 pixels of uint8 or uint16 ones of any shape, rounded: 65535 becomes 255."""
    return pixels if pixels.dtype == np.uint8 else ((pixels.astype(np.uint32) + 128) // 257).astype(np.uint8)


def as_uint16(pixels: np.ndarray) -> np.ndarray:
    """uint16 pixels of uint8 or uint16 ones of any shape: 255 becomes 65535."""
    return pixels if pixels.dtype == np.uint16 else pixels.astype(np.uint16) * 257


def without_colour(pixels: np.ndarray) -> np.ndarray:
    """The BGR (H, W, 3) pixels with three equal channels: their luma (Rec. 601)."""
    return cv2.cvtColor(cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
