"""Faces of a photo whichever way up it was scanned: the photo is turned only where its faces say so.

Turns are counted as numpy.rot90 counts them: quarter turns against the clock.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from daefr_arch.errors import InputError
from daefr_arch.faces.aligner import alignment_error, estimate_alignment
from daefr_arch.faces.detector import DetectedFace
from daefr_arch.faces.second_opinion import CROP_SIZE, TemplateScorer, opinions, quarter_turn_scores

# a face with this score, landmarks that fit the template and upright needs no second opinion: shirts and textures
# reached 0.986; faces read the wrong way up can reach more, hence the look at the surest one
TRUSTED_SCORE = 0.995
TRUSTED_ALIGNMENT_ERROR = 0.06
UPRIGHT_WITHIN = 45  # degrees
# second opinions of faces with a score above 0.9: of 340 degraded real ones all but two lie above, of 29 false ones
# (a shirt at 22 sizes and places, textures) all below; fainter false ones can lie above
ACCEPTED_OPINION = 0.75
NESTED_SHARE = 0.6  # of a face's box in a larger one's
# a face this sure stands as it seems to: one of 384 turned, mirrored and halved photos misled it
SURELY_UPRIGHT_SCORE = 0.999
UPRIGHT_SCORE = 0.9  # of the surest face as it stands; 0.92 is the least that an upright photo's reached


class FacePasses(TemplateScorer, Protocol):
    """What is asked of a detector here."""

    def find(self, img: np.ndarray, *, halved: bool = False) -> list[DetectedFace]:
        """All that looks like a face as the photo stands, the surest first. halved: searched at half the size."""


@dataclass(frozen=True)
class _Candidate:
    """A face that was found; angle: degrees that it is turned. opinion: the second, or the first if trusted."""

    face: DetectedFace
    angle: float
    opinion: float

    @property
    def is_face(self) -> bool:
        return self.opinion >= ACCEPTED_OPINION

    @property
    def is_upright_face(self) -> bool:
        return self.is_face and abs(self.angle) <= UPRIGHT_WITHIN


def find_faces(passes: FacePasses, img: np.ndarray) -> list[DetectedFace]:
    """The faces of a photo (H, W, 3) BGR uint8 that a second opinion confirms, the surest first.

    Where hardly any stands upright, the photo is also searched turned, at half its size, and once more at full size
    the way up that most faces agree on. Landmarks and boxes are in the photo's pixels; left and right are the
    upright face's.
    """
    candidates = _candidates(passes, img, passes.find(img), trusting=True)
    if _stands_upright(passes, img, candidates):
        return [candidate.face for candidate in candidates if candidate.is_face]
    votes = [_vote(candidates)]
    for turns in (1, 2, 3):
        turned = np.rot90(img, turns).copy()
        votes.append(_vote(_candidates(passes, turned, passes.find(turned, halved=True), trusting=False)))
    turns = int(np.argmax(votes))
    if turns > 0:
        turned = np.rot90(img, turns).copy()
        candidates = _candidates(passes, turned, passes.find(turned), trusting=True)
    return [turn_back(candidate.face, turns, *img.shape[:2]) for candidate in candidates if candidate.is_face]


def turn_back(face: DetectedFace, turns: int, height: int, width: int) -> DetectedFace:
    """A face of numpy.rot90(photo, turns) in the coordinates of the photo, which is `height` x `width`."""
    turns %= 4
    x0, y0, x1, y1 = face.box
    corners = _points_back(np.array([[x0, y0], [x1, y1]]), turns, height, width)
    (x0, y0), (x1, y1) = corners.min(axis=0).tolist(), corners.max(axis=0).tolist()
    return replace(face, box=(x0, y0, x1, y1), landmarks=_points_back(face.landmarks, turns, height, width))


def _points_back(points: np.ndarray, turns: int, height: int, width: int) -> np.ndarray:
    """Points (N, 2) of numpy.rot90(photo, turns) in the photo; (0, 0) is the centre of the top left pixel."""
    x, y = points[:, 0], points[:, 1]
    right, bottom = width - 1, height - 1
    columns = ((x, y), (right - y, x), (right - x, bottom - y), (y, bottom - x))[turns]
    return np.stack(columns, axis=1)


def _candidates(
    passes: FacePasses, img: np.ndarray, faces: Sequence[DetectedFace], *, trusting: bool
) -> list[_Candidate]:
    """The faces with their angles and opinions. trusting: ask no second opinion of faces that are beyond doubt."""
    poses = [_pose(face) for face in faces]
    opinion = np.array([face.score for face in faces])
    doubtful = [
        index
        for index, (face, (angle, error)) in enumerate(zip(faces, poses, strict=True))
        if not trusting
        or face.score < TRUSTED_SCORE
        or error > TRUSTED_ALIGNMENT_ERROR
        or abs(angle) > UPRIGHT_WITHIN
        or any(_is_nested(face, other) for other in faces)
    ]
    if doubtful:
        opinion[doubtful] = opinions(passes, img, [faces[index] for index in doubtful])
    return [_Candidate(face, angle, value) for face, (angle, _), value in zip(faces, poses, opinion, strict=True)]


def _pose(face: DetectedFace) -> tuple[float, float]:
    """(degrees that the face is turned, how far its landmarks lie from the template)."""
    try:
        matrix = estimate_alignment(face.landmarks, CROP_SIZE)
    except InputError:
        return 180.0, float('inf')
    angle = float(np.degrees(np.arctan2(matrix[1, 0], matrix[0, 0])))
    return angle, alignment_error(face.landmarks, matrix, CROP_SIZE)


def _is_nested(face: DetectedFace, other: DetectedFace) -> bool:
    """Whether most of the face lies in a larger one: a part of that, or a photo in a photo."""
    if other is face or other.size <= face.size:
        return False
    start = np.maximum(face.box[:2], other.box[:2])
    end = np.minimum(face.box[2:], other.box[2:])
    area = np.prod(np.subtract(face.box[2:], face.box[:2]))
    return bool(np.prod(np.clip(end - start, 0, None)) > NESTED_SHARE * area)


def _stands_upright(passes: FacePasses, img: np.ndarray, candidates: Sequence[_Candidate]) -> bool:
    """Whether most of what was found are upright faces, and the surest is beyond doubt or would look worse turned."""
    upright = [candidate for candidate in candidates if candidate.is_upright_face]
    if not upright or 2 * len(upright) < len(candidates):
        return False
    surest = max(upright, key=lambda candidate: candidate.face.score)
    if surest.face.score >= SURELY_UPRIGHT_SCORE:
        return True
    scores = quarter_turn_scores(passes, img, surest.face)
    return bool(scores[0] >= UPRIGHT_SCORE and scores.argmax() == 0)


def _vote(candidates: Sequence[_Candidate]) -> float:
    """How much speaks for this way up."""
    return sum(candidate.opinion for candidate in candidates if candidate.is_upright_face)
