"""Bringing under-exposed, faded and toned faces to what a network was trained on, and its faces back.

The photo keeps its exposure: only what the network sees is normal. One straight line for all channels brings levels
and contrast, so that grey stays grey; a print toned in one colour is shown in grey, and its tone is put back.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from daefr_arch.errors import InputError
from daefr_arch.runtime.restoration_network import RestorationNetwork

# levels of the face between hair line and chin, of 255. Of 1,360 well exposed faces none has its 98th percentile below
# DARK, one of 200 less than FLAT between the 2nd and the 98th; their medians are MIDDLE +- CONTRAST / 2
DARK = 120
FLAT = 80
MIDDLE = 125
CONTRAST = 145
WHOLE_SHARE = 0.7  # of the contrast of the whole crop, which blur leaves, that of a face is not below
# how fast the correction grows below these limits; at a limit it is none, so that nothing flickers in a film
LIGHTENING = 0.85
STRETCHING = 1.5
TONE_DEGREE = 2
# a toned print: colour that is a function of lightness up to TONE_RESIDUAL, and more than TONE_CHROMA of it
TONE_RESIDUAL = 3.0
TONE_CHROMA = 4.0
LUMA_BGR = np.array([0.114, 0.587, 0.299], np.float32)  # Rec. 601


@dataclass(frozen=True)
class ExposureCurve:
    """Photo -> normal exposure: `gain` * level + `offset`, levels of 255; identity for a face that is normal already.

    Attributes:
        gain, offset: the same for all channels.
        tone: polynomials (3, TONE_DEGREE + 1) that give blue, green and red of a toned print from its luma, highest
            power first, in the photo's exposure; None for other photos.
        clipped: (H, W, 3) float32, what lay beyond white or black at normal exposure; None where nothing did.
    """

    gain: float = 1.0
    offset: float = 0.0
    tone: np.ndarray | None = None
    clipped: np.ndarray | None = None

    @property
    def is_identity(self) -> bool:
        """Whether the face was normal already, and `restore` returns what it is given."""
        return self.gain == 1 and self.offset == 0 and self.tone is None

    def restore(self, face: np.ndarray) -> np.ndarray:
        """A face (h, w, 3) BGR at normal exposure, levels of 255 -> at the photo's; uint8 is rounded, floats are not.

        `restore(normal_crop)` is the crop again, within what rounding took; for a toned print in its tone alone.
        """
        if self.is_identity:
            return face
        levels = (face.astype(np.float32) - self.offset) / self.gain
        if self.tone is not None:
            luma = levels @ LUMA_BGR
            levels = np.stack([np.polyval(channel, luma) for channel in self.tone], axis=-1)
        if self.clipped is not None:
            clipped = self.clipped
            if clipped.shape != levels.shape:
                clipped = cv2.resize(clipped, levels.shape[1::-1], interpolation=cv2.INTER_LINEAR)
            levels = levels + clipped
        return _as(levels, face.dtype)


def normalise_exposure(crop: np.ndarray) -> tuple[np.ndarray, ExposureCurve]:
    """An aligned face (S, S, 3) BGR, uint8 or float in [0, 255], at normal exposure, and the way back.

    A face that is normal already comes back as the same array. A toned print comes back grey.

    Raises:
        InputError: the crop is of another kind.
    """
    if crop.ndim != 3 or crop.shape[2] != 3 or crop.shape[0] != crop.shape[1]:
        raise InputError(f'exposure: expected an aligned BGR face (S, S, 3), got an array of shape {crop.shape}')
    if crop.dtype != np.uint8 and not np.issubdtype(crop.dtype, np.floating):
        raise InputError(f'exposure: expected levels of 255 as uint8 or float, got {crop.dtype}')
    levels = crop.astype(np.float32)
    gain, offset = _levels(levels @ LUMA_BGR)
    tone = _tone(levels, gain)
    if gain == 1 and offset == 0 and tone is None:
        return crop, ExposureCurve()
    source = levels if tone is None else np.repeat((levels @ LUMA_BGR)[..., None], 3, axis=2)
    stretched = source * gain + offset
    normal = stretched.clip(0, 255)
    excess = (stretched - normal) / gain
    curve = ExposureCurve(gain, offset, tone, excess if excess.any() else None)
    return _as(normal, crop.dtype), curve


def restore_at_normal_exposure(network: RestorationNetwork, faces: Sequence[np.ndarray]) -> list[np.ndarray | None]:
    """`network.restore` of faces that the network sees at a normal exposure; the results are at the faces' own."""
    seen = [normalise_exposure(face) for face in faces]
    restored = network.restore([face for face, _ in seen])
    return [None if face is None else curve.restore(face) for face, (_, curve) in zip(restored, seen, strict=True)]


def _levels(luma: np.ndarray) -> tuple[float, float]:
    """(gain, offset) that bring the face in a crop of this luma (S, S) to a normal exposure."""
    dark, light = np.percentile(luma[_face_oval(luma.shape[0])], (2, 98)).tolist()
    whole = float(np.subtract(*np.percentile(luma, (98, 2))))
    gain, offset = 1.0, 0.0
    if 0 < light < DARK:
        gain = (DARK + (DARK - light) * LIGHTENING) / light
    contrast, middle = gain * max(light - dark, WHOLE_SHARE * whole), gain * (light + dark) / 2
    if 0 < contrast < FLAT:
        wanted = min(FLAT + (FLAT - contrast) * STRETCHING, CONTRAST)
        share = (wanted - FLAT) / (CONTRAST - FLAT)
        stretch = wanted / contrast
        offset = middle + (MIDDLE - middle) * share - middle * stretch
        gain *= stretch
    return gain, offset


def _tone(levels: np.ndarray, gain: float) -> np.ndarray | None:
    """The tone of a print (3, TONE_DEGREE + 1), None where colour is no function of lightness, or there is none."""
    small = cv2.resize(levels, (64, 64), interpolation=cv2.INTER_AREA).reshape(-1, 3)
    luma = small @ LUMA_BGR
    if np.ptp(luma) == 0 or gain * np.abs(small - luma[:, None]).mean() < TONE_CHROMA:
        return None
    tone = np.polyfit(luma, small, TONE_DEGREE).T
    expected = np.stack([np.polyval(channel, luma) for channel in tone], axis=1)
    residual = gain * float(np.sqrt(((small - expected) ** 2).mean()))
    return tone if residual < TONE_RESIDUAL else None


@lru_cache(maxsize=8)
def _face_oval(size: int) -> np.ndarray:
    """Where the face is (S, S) in an aligned crop, without hair and background."""
    y, x = (np.mgrid[:size, :size] + 0.5) / size
    oval: np.ndarray = ((x - 0.5) / 0.24) ** 2 + ((y - 0.6) / 0.32) ** 2 < 1
    return oval


def _as(levels: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Levels of 255 in this type; rounded and limited for uint8."""
    return np.rint(levels).clip(0, 255).astype(np.uint8) if dtype == np.uint8 else levels.astype(dtype)
