"""Where one shot ends and the next begins."""

import cv2
import numpy as np

THUMBNAIL = (64, 36)
CUT = 24.0  # mean change of hue, saturation and value, of 255, from one frame to the next, at least of a cut
OVER_MOTION = 2.0  # and how many times that of the frame before: a fast pan changes as much, but goes on


class CutDetector:
    """Compares each frame with the one before it; as PySceneDetect's content detector, on thumbnails."""

    def __init__(self) -> None:
        self._previous: np.ndarray | None = None
        self._motion = 0.0  # change within the shot

    def is_cut(self, bgr: np.ndarray) -> bool:
        """Whether a shot begins with this frame (H, W, 3) BGR uint8; the first one begins one."""
        small = cv2.resize(bgr, THUMBNAIL, interpolation=cv2.INTER_AREA)
        hsv = cv2.cvtColor(small, cv2.COLOR_BGR2HSV_FULL).astype(np.int16)
        previous, self._previous = self._previous, hsv
        if previous is None:
            return True
        difference = np.abs(hsv - previous)
        difference[..., 0] = np.minimum(difference[..., 0], 256 - difference[..., 0])  # hue is a circle
        # hue says little where there is no colour
        difference[..., 0] = difference[..., 0] * np.minimum(hsv[..., 1], previous[..., 1]) // 255
        change = float(difference.mean())
        is_cut = change > max(CUT, OVER_MOTION * self._motion)
        self._motion = 0.0 if is_cut else change
        return is_cut
