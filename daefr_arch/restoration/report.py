"""What a restorer says about a photo: every face that was found, and what became of it."""

from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from daefr_arch.faces.detector import DetectedFace

RESTORED, FAILED = 'restored', 'failed'
NO_FACE, PARTIAL = 'no_face', 'partial'


@dataclass
class FaceReport:
    """One face of a photo, in the photo's own pixels.

    box: (x0, y0, x1, y1). score: of the detector, in [0, 1]. landmarks: five (x, y). These are None for an image that
    was given as an aligned face. seconds: the face's share of its batch. status: 'restored', or 'failed' where the
    photo keeps its own pixels. identity: cosine similarity of crop and restored face, None without embedding network.
    """

    box: tuple[float, float, float, float] | None = None
    score: float | None = None
    landmarks: list[list[float]] | None = None
    status: str = RESTORED
    seconds: float = 0.0
    identity: float | None = None
    warnings: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, face: DetectedFace) -> 'FaceReport':
        """The report of a face that was found."""
        x0, y0, x1, y1 = (round(value, 2) for value in face.box)
        return cls(box=(x0, y0, x1, y1), score=round(face.score, 4), landmarks=np.round(face.landmarks, 2).tolist())


@dataclass
class PhotoReport:
    """One photo: its faces, in the detector's order, and the seconds of each step.

    seconds: 'detect', 'restore' (the photo's share of shared batches), 'background', 'paste'.
    """

    faces: list[FaceReport] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    @property
    def status(self) -> str:
        """'restored', 'no_face', 'partial' (some faces failed) or 'failed' (all of them did)."""
        if not self.faces:
            return NO_FACE
        restored = sum(face.status == RESTORED for face in self.faces)
        return FAILED if restored == 0 else RESTORED if restored == len(self.faces) else PARTIAL

    def as_dict(self) -> dict[str, Any]:
        """Plain numbers, strings and lists, ready for JSON."""
        return {'status': self.status, **asdict(self)}
