"""A photo's background that a network enlarged, kept on disk: it does not change with the faces."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from daefr_arch.restoration.background import BackgroundUpsampler


@dataclass(frozen=True)
class KeptBackground:
    """A BackgroundUpsampler for one photo that enlarges it once a size.

    Args:
        upsampler: what does it.
        folder: of the photo; holds the enlarged ones.
    """

    upsampler: BackgroundUpsampler
    folder: Path

    def enhance(self, img: np.ndarray, outscale: float) -> tuple[np.ndarray, object]:
        """The photo BGR (H, W, 3), uint8 or uint16, enlarged `outscale` times, of the same dtype."""
        path = self.folder / f'background-{outscale:g}.npy'
        if path.exists():
            return np.load(path), 'RGB'
        enlarged, mode = self.upsampler.enhance(img, outscale=outscale)
        np.save(path, enlarged)
        return enlarged, mode
