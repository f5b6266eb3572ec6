"""Which face of a frame is which of the frames before: detections become tracks."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from daefr_arch.faces.detector import DetectedFace

Box = tuple[float, float, float, float]

OVERLAP = 0.25  # intersection over union at least of one face in two frames
LONGEST_GAP = 6  # frames that a face may be lost for and still be the same


@dataclass
class _Live:
    """A track that may go on: its number, its last box, the frame of it, and how fast it moves."""

    track: int
    box: np.ndarray
    frame: int
    velocity: np.ndarray

    def expected(self, frame: int) -> np.ndarray:
        return self.box + self.velocity * (frame - self.frame)


class Tracker:
    """Gives each detection the number of its track; frames come in order. longest_gap: in frames."""

    def __init__(self, longest_gap: int = LONGEST_GAP) -> None:
        self.longest_gap = longest_gap
        self._live: list[_Live] = []
        self._count = 0

    def cut(self) -> None:
        """A new shot begins: no track goes on."""
        self._live = []

    def assign(self, frame: int, faces: Sequence[DetectedFace]) -> list[int]:
        """The track of each face of this frame; the pairs that overlap most come first."""
        self._live = [live for live in self._live if frame - live.frame <= self.longest_gap + 1]
        overlaps = sorted(
            (
                (overlap, index, live.track)
                for index, face in enumerate(faces)
                for live in self._live
                if (overlap := max(intersection_over_union(face.box, box) for box in (live.expected(frame), live.box)))
                >= OVERLAP
            ),
            key=lambda found: (-found[0], found[1:]),
        )
        tracks: dict[int, int] = {}
        for _, index, track in overlaps:
            if index not in tracks and track not in tracks.values():
                tracks[index] = track
        for index, face in enumerate(faces):
            if index not in tracks:
                tracks[index] = self._count
                self._count += 1
            self._move(tracks[index], frame, np.array(face.box))
        return [tracks[index] for index in range(len(faces))]

    def _move(self, track: int, frame: int, box: np.ndarray) -> None:
        live = next((live for live in self._live if live.track == track), None)
        if live is None:
            self._live.append(_Live(track, box, frame, np.zeros(4)))
            return
        live.velocity = (box - live.box) / (frame - live.frame)
        live.box, live.frame = box, frame


def intersection_over_union(first: Box | np.ndarray, second: Box | np.ndarray) -> float:
    """Of two boxes (x0, y0, x1, y1); 0 where they do not meet."""
    width = min(first[2], second[2]) - max(first[0], second[0])
    height = min(first[3], second[3]) - max(first[1], second[1])
    if width <= 0 or height <= 0:
        return 0.0
    areas = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (first, second))
    return float(width * height / (areas - width * height))
