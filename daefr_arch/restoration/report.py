"""What a restorer says about a photo: every face that was found, and what became of it."""

from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from daefr_arch.faces.detector import DetectedFace
from daefr_arch.faces.fusion import GUESSED, KEPT, REPAIRED, FaceEvidence, FusedFace

RESTORED, FAILED = 'restored', 'failed'
NO_FACE, PARTIAL = 'no_face', 'partial'
NOT_FINITE = 'the network output is not finite, in float32 too: the face was left as it is'
MOSTLY_A_GUESS = 'mostly a guess: the photo shows too little of this face to tell who it is'


@dataclass
class FaceReport:
    """One face of a photo, in the photo's own pixels.

    box: (x0, y0, x1, y1). score: of the detector, in [0, 1]. landmarks: five (x, y). These are None for an image that
    was given as an aligned face. status: 'kept', the photo shows all there is to show and its pixels are untouched;
    'repaired', what it lacks was put in; 'guessed', most of the face is invention; 'failed', the photo keeps its own
    pixels. evidence: share in [0, 1] of what the photo shows, for 'luma' and 'chroma', by frequency band from fine to
    coarse, inside of the face. seconds: the face's share of its batch. identity: cosine similarity of the face in the
    photo and in the result, None without embedding network.
    """

    box: tuple[float, float, float, float] | None = None
    score: float | None = None
    landmarks: list[list[float]] | None = None
    status: str = FAILED
    evidence: dict[str, list[float]] = field(default_factory=dict)
    seconds: float = 0.0
    identity: float | None = None
    warnings: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, face: DetectedFace) -> 'FaceReport':
        """The report of a face that was found."""
        x0, y0, x1, y1 = (round(value, 2) for value in face.box)
        return cls(box=(x0, y0, x1, y1), score=round(face.score, 4), landmarks=np.round(face.landmarks, 2).tolist())

    def judge(self, evidence: FaceEvidence, fused: FusedFace | None) -> None:
        """Notes what the photo shows of the face and what became of it; fused: None where the network failed."""
        shares = {'luma': evidence.luma, 'chroma': evidence.chroma}
        if evidence.is_finite:
            self.evidence = {name: [round(share, 3) for share in bands] for name, bands in shares.items()}
        if fused is None:
            self.warnings.append(NOT_FINITE)
            return
        self.status = REPAIRED if evidence.verdict == KEPT and fused.change.any() else evidence.verdict
        if self.status == GUESSED:
            self.warnings.append(MOSTLY_A_GUESS)


@dataclass
class PhotoReport:
    """One photo: its faces, in the detector's order, and the seconds of each step.

    seconds: 'detect', 'restore' (the photo's share of shared batches), 'background', 'paste'. precision: in which the
    network computed; backend: what computed it, as 'PyTorch, cpu' or 'ONNX Runtime, CPUExecutionProvider'; None before
    it did.
    """

    faces: list[FaceReport] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    precision: str | None = None
    backend: str | None = None

    @property
    def status(self) -> str:
        """'restored', 'no_face', 'partial' (some faces failed) or 'failed' (all of them did)."""
        if not self.faces:
            return NO_FACE
        failed = sum(face.status == FAILED for face in self.faces)
        return FAILED if failed == len(self.faces) else PARTIAL if failed else RESTORED

    def as_dict(self) -> dict[str, Any]:
        """Plain numbers, strings and lists, ready for JSON."""
        return {'status': self.status, **asdict(self)}
