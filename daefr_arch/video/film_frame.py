"""A frame of a film on its way through the steps."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from daefr_arch.faces.detector import DetectedFace
from daefr_arch.restoration.photo_work import PhotoWork
from daefr_arch.restoration.report import FaceReport
from daefr_arch.video.video_info import SourceFrame


@dataclass
class FilmFrame:
    """What the steps know of a frame.

    source: the decoded frame. is_cut: a shot begins with it. faces: what was found in it, and tracks: the numbers of
    their tracks. work: the crops of the faces that are restored, with poses: the numbers of the tracks they belong to.
    """

    source: SourceFrame
    is_cut: bool
    faces: list[DetectedFace]
    tracks: list[int] = field(default_factory=list)
    work: PhotoWork = field(default_factory=lambda: PhotoWork(np.zeros((0, 0, 3), np.uint8)))
    restored_tracks: list[int] = field(default_factory=list)

    @property
    def index(self) -> int:
        """The number of the frame in the film, from 0."""
        return self.source.index

    def line(self, pts: int) -> dict[str, Any]:
        """What is kept of it in its segment. pts: in the result."""
        return {
            'pts': pts,
            'duration': self.source.duration,
            'cut': self.is_cut,
            'found': [[list(face.box), face.score, face.landmarks.tolist()] for face in self.faces],
            'faces': [
                [track, report.status, _mean_luma(report), report.warnings]
                for track, report in zip(self.restored_tracks, self.work.report.faces, strict=True)
            ],
        }


def found_of(line: dict[str, Any]) -> list[DetectedFace]:
    """The faces that were found in the frame of a segment's line."""
    return [DetectedFace(tuple(box), score, np.array(landmarks)) for box, score, landmarks in line['found']]


def _mean_luma(report: FaceReport) -> float | None:
    luma = report.evidence.get('luma')
    return round(float(np.mean(luma)), 3) if luma else None
