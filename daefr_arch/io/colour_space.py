"""What a colour profile means: pixels of a photo in sRGB, as networks see them, and back.

Profiles of matrix and curves, which nearly all photos have, are computed in float32 at the photo's own depth: littlecms
takes no 16 bits a channel from Pillow, and what comes back from 8 bits would be steps. All others go through littlecms.
"""

from functools import cached_property, lru_cache
from io import BytesIO
from typing import Protocol

import cv2
import numpy as np
from PIL import Image, ImageCms

from daefr_arch.io.photo import as_uint8
from daefr_arch.metadata import icc_profile
from daefr_arch.metadata.icc_profile import SRGB_CURVE, SRGB_PRIMARIES, Curve

_STEPS = 2**16
_BAND_ROWS = 256
_SAME = 2  # levels of 255: a profile that moves no colour by more is sRGB's


class ColourSpace(Protocol):
    """The colours of a photo that are not sRGB's."""

    def to_srgb(self, pixels: np.ndarray) -> np.ndarray:
        """BGR (H, W, 3) uint8 in sRGB, of uint8 or uint16 in this space; what sRGB cannot hold is clipped."""

    def from_srgb(self, pixels: np.ndarray) -> np.ndarray:
        """BGR (H, W, 3) float32 in [0, 255] in this space, of uint8 or float32 in [0, 255] in sRGB."""


@lru_cache(maxsize=16)
def colour_space(profile: bytes) -> ColourSpace | None:
    """The space of a profile; None where it is sRGB, by whichever name. Raises ValueError where it is damaged."""
    parts = icc_profile.matrix_and_curves(profile)
    space = MatrixSpace(*parts) if parts else LittleCmsSpace(profile)
    levels = np.linspace(0, 255, 9).round().astype(np.uint8)
    probe = np.stack(np.meshgrid(levels, levels, levels, indexing='ij'), axis=-1).reshape(-1, 27, 3)
    if icc_profile.channels(profile) == 'GRAY':
        probe = np.repeat(np.arange(256, dtype=np.uint8)[:, None, None], 3, axis=2)
    return None if np.abs(space.to_srgb(probe).astype(int) - probe).max() <= _SAME else space


def settle_colours(
    pixels: np.ndarray, profile: bytes | None, *, grey: bool
) -> tuple[np.ndarray, bytes | None, tuple[str, ...]]:
    """A photo's BGR pixels, its profile, and warnings: the profile is left out where it does not say what they mean.

    Where a profile only leads away from the pixels, as those of scanners do, the pixels become sRGB's.
    """
    if not profile:
        return pixels, None, ()
    try:
        space = colour_space(profile)
        if icc_profile.channels(profile) == 'GRAY' and not grey:
            raise ValueError('the colour profile is for GRAY pixels')
    except ValueError as error:
        return pixels, None, (f'{error}: it was left out, and the colours are taken as sRGB',)
    if isinstance(space, LittleCmsSpace) and space.is_one_way:
        return space.to_srgb(pixels), None, ('the colour profile leads one way only: the result is sRGB, 8 bits',)
    return pixels, profile, ()


class MatrixSpace:
    """A space of curves and a matrix (3, 3), from linear RGB to XYZ under D50."""

    def __init__(self, matrix: np.ndarray, curves: tuple[Curve, Curve, Curve]) -> None:
        srgb = icc_profile.primaries_matrix(SRGB_PRIMARIES)
        try:
            to_srgb = np.linalg.solve(srgb, matrix)[::-1, ::-1]  # BGR
            self._from_srgb = np.linalg.inv(to_srgb).astype(np.float32)
        except np.linalg.LinAlgError as error:
            raise ValueError('the colour profile is damaged: its colorants') from error
        self._to_srgb = np.ascontiguousarray(to_srgb, dtype=np.float32)
        self._curves = curves[::-1]
        if (self._tables[-1] - self._tables[0] < 0.5).any():
            raise ValueError('the colour profile is damaged: a curve that does not rise')

    def to_srgb(self, pixels: np.ndarray) -> np.ndarray:
        """See ColourSpace."""
        tables = self._tables[:: 1 if pixels.dtype == np.uint16 else 257]
        result = np.empty(pixels.shape, np.uint8)
        for top in range(0, len(pixels), _BAND_ROWS):
            band = slice(top, top + _BAND_ROWS)
            linear = cv2.transform(_looked_up(pixels[band], tables), self._to_srgb)
            steps = np.clip(linear, 0, 1, out=linear) * (_STEPS - 1) + 0.5
            result[band] = _srgb_levels()[steps.astype(np.uint16)]
        return result

    def from_srgb(self, pixels: np.ndarray) -> np.ndarray:
        """See ColourSpace."""
        steps = (pixels.astype(np.float32).clip(0, 255) * 257 + 0.5).astype(np.uint16)
        linear = cv2.transform(_srgb_light()[steps], self._from_srgb)
        roots = np.sqrt(np.clip(linear, 0, 1, out=linear), out=linear) * (_STEPS - 1) + 0.5
        return _looked_up(roots.astype(np.uint16), self._levels)

    @cached_property
    def _tables(self) -> np.ndarray:
        """Linear light (65536, 3) float32 of each level of 16 bits, BGR; they never fall."""
        grid = np.linspace(0, 1, _STEPS)
        tables = np.stack([curve(grid) for curve in self._curves], axis=-1)
        return np.maximum.accumulate(tables).astype(np.float32)

    @cached_property
    def _levels(self) -> np.ndarray:
        """Levels (65536, 3) float32 in [0, 255] of each step of the root of linear light, which divides dark finely."""
        grid = np.linspace(0, 1, _STEPS)
        return np.stack([np.interp(grid**2, table, grid * 255) for table in self._tables.T], axis=-1).astype(np.float32)


class LittleCmsSpace:
    """A space that only littlecms knows, such as one of tables, at 8 bits a channel."""

    def __init__(self, profile: bytes) -> None:
        self._mode = {'RGB': 'RGB', 'GRAY': 'L'}[icc_profile.channels(profile)]
        try:
            space = ImageCms.ImageCmsProfile(BytesIO(profile))
            srgb = ImageCms.createProfile('sRGB')
            self._forth = ImageCms.buildTransform(space, srgb, self._mode, 'RGB')
        except (ImageCms.PyCMSError, OSError) as error:
            raise ValueError('the colour profile is damaged') from error
        self._back: ImageCms.ImageCmsTransform | None
        try:
            self._back = ImageCms.buildTransform(srgb, space, 'RGB', self._mode)
        except (ImageCms.PyCMSError, OSError):
            self._back = None

    @property
    def is_one_way(self) -> bool:
        """Whether there is no way back from sRGB."""
        return self._back is None

    def to_srgb(self, pixels: np.ndarray) -> np.ndarray:
        """See ColourSpace."""
        return _transformed(as_uint8(pixels), self._forth, self._mode, 'RGB')

    def from_srgb(self, pixels: np.ndarray) -> np.ndarray:
        """See ColourSpace."""
        if self._back is None:
            raise ValueError('the colour profile leads one way only')
        rounded = np.rint(pixels).clip(0, 255).astype(np.uint8)
        return _transformed(rounded, self._back, 'RGB', self._mode).astype(np.float32)


def _transformed(pixels: np.ndarray, transform: ImageCms.ImageCmsTransform, source: str, target: str) -> np.ndarray:
    """BGR (H, W, 3) uint8 through littlecms, in bands, from one mode of Pillow to another."""
    result = np.empty_like(pixels)
    for top in range(0, len(pixels), _BAND_ROWS):
        band = slice(top, top + _BAND_ROWS)
        image = Image.fromarray(np.ascontiguousarray(pixels[band, :, ::-1] if source == 'RGB' else pixels[band, :, 0]))
        output = Image.new(target, image.size)
        transform.apply(image, output)
        array = np.asarray(output)
        result[band] = array[..., ::-1] if target == 'RGB' else array[..., None]
    return result


def _looked_up(pixels: np.ndarray, tables: np.ndarray) -> np.ndarray:
    """float32 (H, W, 3): of each channel's level the entry in its column of the tables."""
    if pixels.dtype == np.uint8:
        return cv2.LUT(np.ascontiguousarray(pixels), np.ascontiguousarray(tables[:, None]))
    return np.stack([tables[pixels[..., one], one] for one in range(3)], axis=-1)


@lru_cache(maxsize=1)
def _srgb_light() -> np.ndarray:
    """Linear light (65536,) float32 of each level of 16 bits of sRGB."""
    return icc_profile.parametric(SRGB_CURVE)(np.linspace(0, 1, _STEPS)).astype(np.float32)


@lru_cache(maxsize=1)
def _srgb_levels() -> np.ndarray:
    """The level of sRGB (65536,) uint8 of each step of linear light."""
    levels = np.arange(256) / 255
    linear = np.linspace(0, 1, _STEPS)
    return np.rint(np.interp(linear, icc_profile.parametric(SRGB_CURVE)(levels), levels) * 255).astype(np.uint8)
