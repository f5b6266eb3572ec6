"""A photo on its way through the restorer's steps."""

from dataclasses import dataclass, field

import numpy as np

from daefr_arch.faces.fusion import FusedFace
from daefr_arch.restoration.report import PhotoReport


@dataclass
class PhotoWork:
    """What the steps of DAEFRRestorer know of a photo; all lists run parallel to the report's faces.

    img: BGR (H, W, 3) uint8 or uint16. crops: BGR (S, S, 3) uint8, each of its own side S. matrices: alignments (2, 3),
    photo -> crop; empty where the photo itself is the aligned face. restored: None for a face that failed.
    """

    img: np.ndarray
    report: PhotoReport = field(default_factory=PhotoReport)
    crops: list[np.ndarray] = field(default_factory=list)
    matrices: list[np.ndarray] = field(default_factory=list)
    restored: list[FusedFace | None] = field(default_factory=list)
