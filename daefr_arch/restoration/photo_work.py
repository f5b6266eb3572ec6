"""A photo on its way through the restorer's steps."""

from dataclasses import dataclass, field

import numpy as np

from daefr_arch.faces.fusion import FusedFace
from daefr_arch.io.colour_space import ColourSpace
from daefr_arch.io.photo import as_uint8
from daefr_arch.restoration.report import PhotoReport


@dataclass
class PhotoWork:
    """What the steps of DAEFRRestorer know of a photo; all lists run parallel to the report's faces.

    img: BGR (H, W, 3) uint8 or uint16. crops: BGR (S, S, 3) uint8 in sRGB, each of its own side S. matrices: alignments
    (2, 3), photo -> crop; empty where the photo itself is the aligned face. restored: None for a face that failed.
    colours: the photo's space, None for sRGB.
    """

    img: np.ndarray
    report: PhotoReport = field(default_factory=PhotoReport)
    crops: list[np.ndarray] = field(default_factory=list)
    matrices: list[np.ndarray] = field(default_factory=list)
    restored: list[FusedFace | None] = field(default_factory=list)
    colours: ColourSpace | None = None

    def seen(self, pixels: np.ndarray) -> np.ndarray:
        """Pixels of the photo as networks see them: BGR (H, W, 3) uint8 in sRGB."""
        return as_uint8(pixels) if self.colours is None else self.colours.to_srgb(pixels)

    def change(self, crop: np.ndarray, fused: FusedFace) -> np.ndarray:
        """The face's change (S, S, 3) float32, of 255, in the photo's own colours: 0 where the face has none."""
        if self.colours is None:
            return fused.change
        return self.colours.from_srgb(crop + fused.change) - self.colours.from_srgb(crop)

    def face(self, fused: FusedFace) -> np.ndarray:
        """The face (S, S, 3) uint8 in the photo's own colours."""
        return fused.face if self.colours is None else np.rint(self.colours.from_srgb(fused.face)).astype(np.uint8)
