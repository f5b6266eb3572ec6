"""Pictures of what in a restored face is evidence, and what is a guess."""

from collections.abc import Sequence

import cv2
import numpy as np

from daefr_arch.faces.evidence import weights
from daefr_arch.faces.fusion import IDENTITY_BANDS

# blue and orange: told apart by colour-blind eyes too
EVIDENCE_BGR = np.array([200, 150, 40], np.float32)
GUESS_BGR = np.array([40, 90, 235], np.float32)
OPACITY = 0.55


def evidence_share(log_ratios: Sequence[np.ndarray], size: int) -> np.ndarray:
    """(size, size) float32 in [0, 1]: how much of the bands that tell who somebody is the photo shows at each place.

    log_ratios: of FaceEvidence.
    """
    bands = weights(log_ratios)[IDENTITY_BANDS]
    resized = [cv2.resize(band[0], (size, size), interpolation=cv2.INTER_LINEAR) for band in bands]
    return np.stack(resized).mean(axis=0)


def draw_evidence(face: np.ndarray, log_ratios: Sequence[np.ndarray]) -> np.ndarray:
    """The restored face (S, S, 3) BGR uint8 in grey, tinted blue where it is evidence, orange where it is a guess."""
    share = evidence_share(log_ratios, len(face))[..., None]
    tint = share * EVIDENCE_BGR + (1 - share) * GUESS_BGR
    grey = cv2.cvtColor(cv2.cvtColor(face, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR).astype(np.float32)
    return np.rint(grey * (1 - OPACITY) + tint * OPACITY * (0.35 + 0.65 * grey / 255)).clip(0, 255).astype(np.uint8)
