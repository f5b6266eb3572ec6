"""Restored faces without flicker: each is averaged with those of its track before and after it, moved onto it.

The faces are aligned, so that what moves between two of them is little: expression, and what turning the head does. It
is measured by optical flow between the crops; where the crops do not fit after that, the other face does not count.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence

import cv2
import numpy as np

from daefr_arch.faces.fusion import FusedFace
from daefr_arch.io.resize import resize_square
from daefr_arch.video.ahead import StepClock
from daefr_arch.video.film_frame import FilmFrame

FLOW_SIDE = 128  # pixels of the aligned face that flow is measured at
SEEN_THROUGH = 5.0  # sigma in pixels of FLOW_SIDE: noise of the film is no difference between faces
DIFFERENCE = 10.0  # levels of 255 that a face may differ by to count half
REACH = 4  # frames to each side
Seen = tuple[FilmFrame, dict[int, tuple[np.ndarray, FusedFace]]]  # a frame; of each track crop and restored face


class Steadier:
    """Averages faces over time.

    Args:
        steadiness: in [0, 1]; 0 leaves all as it is, 1 averages over 2 * REACH + 1 frames.
        clock: counts what it takes.
    """

    def __init__(self, steadiness: float, clock: StepClock) -> None:
        self.clock = clock
        self.sigma = steadiness * REACH / 2
        self.reach = round(steadiness * REACH)
        self._flow = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_FAST)  # type: ignore[attr-defined]

    def through(self, frames: Iterable[FilmFrame]) -> Iterator[FilmFrame]:
        """The frames, their restored faces steadied, `reach` frames behind what is taken."""
        window: deque[Seen] = deque()
        shown = 0  # position in the window of the frame that is next
        for frame in frames:
            window.append((frame, self._faces_of(frame)))
            if len(window) - shown > self.reach:
                yield self._steadied(window, shown)
                shown += 1
            if shown > self.reach:
                window.popleft()
                shown -= 1
        for position in range(shown, len(window)):
            yield self._steadied(window, position)

    def _faces_of(self, frame: FilmFrame) -> dict[int, tuple[np.ndarray, FusedFace]]:
        """Track -> crop and restored face; the frame's own lists may change later."""
        work = frame.work
        return {
            track: (crop, fused)
            for track, crop, fused in zip(frame.restored_tracks, work.crops, work.restored, strict=True)
            if fused is not None
        }

    def _steadied(self, window: Sequence[Seen], position: int) -> FilmFrame:
        frame, faces = window[position]
        with self.clock.step('steady'):
            for index, track in enumerate(frame.restored_tracks):
                if self.reach and track in faces:
                    reached = list(self._reached(window, position, track))
                    others = [(other - position, *window[other][1][track]) for other in reached]
                    crop, fused = faces[track]
                    frame.work.restored[index] = self._average(crop, fused, others)
        return frame

    def _reached(self, window: Sequence[Seen], position: int, track: int) -> Iterator[int]:
        """Positions of the frames around, up to where the track ends."""
        for step in (-1, 1):
            for distance in range(1, self.reach + 1):
                other = position + step * distance
                if not 0 <= other < len(window) or track not in window[other][1]:
                    break
                yield other

    def _average(
        self, crop: np.ndarray, fused: FusedFace, others: Sequence[tuple[int, np.ndarray, FusedFace]]
    ) -> FusedFace:
        if not fused.change.any() and not any(other.change.any() for _, _, other in others):
            return fused  # kept in all frames: the film's own pixels
        side = crop.shape[0]
        total = crop + fused.change
        weights = np.ones((side, side, 1), np.float32)
        seen = _for_flow(crop)
        for distance, other_crop, other in others:
            other_seen = _for_flow(other_crop)
            flow = self._flow.calc(_grey(seen), _grey(other_seen), None)
            difference = np.abs(_moved(_blurred(other_seen), flow) - _blurred(seen)).mean(axis=2)
            fit = 1 / (1 + (difference / DIFFERENCE) ** 2)
            weight = np.exp(-0.5 * (distance / self.sigma) ** 2) * fit
            weight = cv2.resize(weight, (side, side), interpolation=cv2.INTER_LINEAR)[..., None]
            face = resize_square(other_crop + other.change, side)
            total += weight * _moved(face, _enlarged(flow, side))
            weights += weight
        face = np.clip(total / weights, 0, 255).astype(np.float32)
        return FusedFace(np.rint(face).astype(np.uint8), face - crop, fused.evidence)


def _for_flow(crop: np.ndarray) -> np.ndarray:
    return cv2.resize(crop, (FLOW_SIDE, FLOW_SIDE), interpolation=cv2.INTER_AREA).astype(np.float32)


def _grey(face: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(np.rint(face).astype(np.uint8), cv2.COLOR_BGR2GRAY)


def _blurred(face: np.ndarray) -> np.ndarray:
    return cv2.GaussianBlur(face, (0, 0), SEEN_THROUGH)


def _enlarged(flow: np.ndarray, side: int) -> np.ndarray:
    return cv2.resize(flow, (side, side), interpolation=cv2.INTER_LINEAR) * (side / flow.shape[0])


def _moved(face: np.ndarray, flow: np.ndarray) -> np.ndarray:
    """The face (S, S, 3) taken at each pixel from where the flow (S, S, 2) leads."""
    rows, columns = np.mgrid[: face.shape[0], : face.shape[1]].astype(np.float32)
    return cv2.remap(
        face, columns + flow[..., 0], rows + flow[..., 1], cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    )
