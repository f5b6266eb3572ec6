"""From detections of single frames to the alignments of tracks: smooth, without gaps, without faces of one frame."""

from collections import deque
from collections.abc import Iterable, Iterator

import numpy as np

from daefr_arch.errors import InputError
from daefr_arch.faces.aligner import estimate_alignment
from daefr_arch.faces.detector import DetectedFace
from daefr_arch.video.film_frame import FilmFrame
from daefr_arch.video.smoothing import REACH, matrix_of, pose_of, smoothed
from daefr_arch.video.tracker import LONGEST_GAP, Tracker

LEAST_SEEN = 2  # frames near each other that a face must be found in to be one
Tracks = dict[int, dict[int, tuple[np.ndarray, DetectedFace]]]


class Follower:
    """Follows the faces through the film, some frames behind what it is given.

    Args:
        face_size: side of the aligned faces that alignments map to, in pixels.
        sigma: of the smoothing, in frames; 0 for none.
        every: faces are looked for in every so many frames; between them they are where their track leads.
    """

    def __init__(self, *, face_size: int, sigma: float, every: int = 1) -> None:
        self.face_size = face_size
        self.sigma = sigma
        self.longest_gap = max(LONGEST_GAP, every)
        self.lag = max(round(REACH * sigma), self.longest_gap + 1)
        self._beyond = every - 1  # frames that a track may go on before and after it was seen
        self._tracker = Tracker(self.longest_gap)
        self._tracks: Tracks = {}
        self._shot_of: dict[int, int] = {}
        self._shots = 0

    def see(self, index: int, *, is_cut: bool, faces: Iterable[DetectedFace]) -> list[int]:
        """Takes the faces found in a frame; returns the numbers of their tracks, -1 for landmarks that fit no face."""
        if is_cut:
            self._tracker.cut()
            self._shots += 1
        self._shot_of[index] = self._shots
        faces = list(faces)
        poses: list[np.ndarray | None] = []
        for face in faces:
            try:
                poses.append(pose_of(estimate_alignment(face.landmarks, self.face_size)))
            except InputError:
                poses.append(None)
        numbers = self._tracker.assign(index, faces)
        for number, pose, face in zip(numbers, poses, faces, strict=True):
            if pose is not None:
                self._tracks.setdefault(number, {})[index] = (pose, face)
        self._forget(index - 2 * self.lag - 1)
        return [number if pose is not None else -1 for number, pose in zip(numbers, poses, strict=True)]

    def followed(
        self, frames: Iterable[FilmFrame]
    ) -> Iterator[tuple[FilmFrame, list[tuple[int, np.ndarray, DetectedFace]]]]:
        """The frames, each with its faces: number of the track, alignment (2, 3), and the detection nearest in time."""
        waiting: deque[FilmFrame] = deque()
        for frame in frames:
            frame.tracks = self.see(frame.index, is_cut=frame.is_cut, faces=frame.faces)
            waiting.append(frame)
            if len(waiting) > self.lag:
                ready = waiting.popleft()
                yield ready, self._faces_at(ready.index)
        for ready in waiting:
            yield ready, self._faces_at(ready.index)

    def _faces_at(self, index: int) -> list[tuple[int, np.ndarray, DetectedFace]]:
        faces = []
        shot = self._shot_of[index]
        for number, seen in self._tracks.items():
            near = {
                at: pose
                for at, (pose, _) in seen.items()
                if abs(at - index) <= self.lag and self._shot_of.get(at) == shot
            }
            if self._is_there(near, index) and len(near) >= min(LEAST_SEEN, self._shot_length(index)):
                pose = smoothed(near, index, self.sigma)
                nearest = min(near, key=lambda at: (abs(at - index), at))
                faces.append((number, matrix_of(pose), seen[nearest][1]))
        return faces

    def _is_there(self, near: Iterable[int], index: int) -> bool:
        """Whether a track that was seen in these frames is in this frame: seen in it, or before and after it."""
        near = list(near)
        if any(abs(at - index) <= self._beyond for at in near):
            return True
        return any(at < index for at in near) and any(at > index for at in near)

    def _shot_length(self, index: int) -> int:
        """Frames of the shot within reach."""
        shot = self._shot_of[index]
        return sum(self._shot_of.get(at) == shot for at in range(index - self.lag, index + self.lag + 1))

    def _forget(self, before: int) -> None:
        """Lets go what no frame needs any more."""
        self._shot_of = {at: shot for at, shot in self._shot_of.items() if at >= before}
        for number in list(self._tracks):
            seen = self._tracks[number]
            for at in [at for at in seen if at < before]:
                del seen[at]
            if not seen:
                del self._tracks[number]
