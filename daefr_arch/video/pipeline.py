"""A film's frames through the steps: decode, detect, follow, network, steady, paste; each in its own thread.

All that a frame becomes depends on the film and its number alone, not on where a run began: batches of the network hold
the faces of GROUP frames from a multiple of GROUP on.
"""

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from daefr_arch.faces.aligner import alignment_error, crop_at_own_side
from daefr_arch.faces.detector import FaceDetector
from daefr_arch.faces.paster import RestoredFace, change_of_photo
from daefr_arch.restoration.photo_work import PhotoWork
from daefr_arch.restoration.report import FaceReport, PhotoReport
from daefr_arch.video.ahead import StepClock, ahead
from daefr_arch.video.colour import add_change, to_bgr
from daefr_arch.video.displayed import displayed
from daefr_arch.video.encoding import Encoding
from daefr_arch.video.film_frame import FilmFrame, found_of
from daefr_arch.video.follower import Follower
from daefr_arch.video.library import load_av
from daefr_arch.video.shots import CutDetector
from daefr_arch.video.steadier import Steadier
from daefr_arch.video.tone_map import ToneMap
from daefr_arch.video.video_info import SourceFrame

if TYPE_CHECKING:
    import av

GROUP = 8  # frames whose faces share the network's batches
QUEUED = 4  # frames between two steps
CORNER = 4  # changes begin at multiples of so many pixels: whole chroma samples of every format
SIGMA, MOST_SIGMA = 8.0, 2.0  # of the smoothing of alignments, in frames: by steadiness, and at most


class FilmRestorer(Protocol):
    """What is asked of DAEFRRestorer."""

    upscale: float
    detector: FaceDetector
    bg_upsampler: Any

    @property
    def face_size(self) -> int:
        """As DAEFRRestorer.face_size."""

    def restore_faces(self, works: Sequence[PhotoWork], *, weight: float | None) -> None:
        """As DAEFRRestorer.restore_faces."""

    def pasted_faces(self, work: PhotoWork) -> list[RestoredFace]:
        """As DAEFRRestorer.pasted_faces."""

    def finish(self, work: PhotoWork) -> tuple[list[np.ndarray], list[np.ndarray], np.ndarray | None]:
        """As DAEFRRestorer.finish."""


class FilmPipeline:
    """Restores the frames of a film.

    Args:
        restorer: a DAEFRRestorer.
        encoding: what the frames are made for.
        steadiness: in [0, 1].
        detect_every: frames from one search for faces to the next.
        weight: of DAEFRRestorer.enhance.

    `clock` knows what each step took.
    """

    def __init__(
        self,
        restorer: FilmRestorer,
        encoding: Encoding,
        *,
        steadiness: float,
        detect_every: int,
        weight: float | None,
    ) -> None:
        self.restorer = restorer
        self.encoding = encoding
        self.detect_every = detect_every
        self.weight = weight
        self.clock = StepClock()
        self.steadier = Steadier(steadiness, self.clock)
        self.follower = Follower(
            face_size=restorer.face_size, sigma=min(SIGMA * steadiness, MOST_SIGMA), every=detect_every
        )
        colour = encoding.colour
        self.tone_map = ToneMap(colour) if colour.is_hdr else None

    def frames(
        self,
        source: Callable[[int, int], Iterator[SourceFrame]],
        *,
        known: Iterable[dict[str, Any]] = (),
        done: int = 0,
    ) -> Generator[tuple[FilmFrame, 'av.VideoFrame'], None, None]:
        """The frames of the film, each with what is to be encoded.

        source: gives the frames from one on; it is told that frame's number and its time stamp in the result.
        known, done: lines of the first `done` frames, which are in segments. What comes is the frames after them.
        """
        first = self._first_needed(done)
        lines, shot = {}, 0
        for index, line in enumerate(known):
            if index < first:
                shot = index if line['cut'] else shot
                self.follower.see(index, is_cut=line['cut'], faces=found_of(line))
            else:
                lines[index] = line
        begin = lines[first]['pts'] if first else 0
        frames: Iterator[Any] = self.clock.timed('decode', source(first, begin))
        # no other name may hold the steps before the last: closing it ends the threads of all
        frames = ahead(frames, QUEUED, 'decode')
        frames = ahead(self._found(frames, lines, shot), QUEUED, 'detect')
        frames = ahead(self._cropped(frames), QUEUED, 'align')
        frames = ahead(self._restored(frames), GROUP, 'network')
        frames = ahead(self.steadier.through(frames), QUEUED, 'steady')
        yield from ahead(self._pasted(frames, done), QUEUED, 'paste')

    def _first_needed(self, done: int) -> int:
        """The first frame that those after `done` frames depend on, of the start of a group."""
        return max(0, done - max(self.steadier.reach, 1)) // GROUP * GROUP

    def _seen(self, frame: 'av.VideoFrame') -> np.ndarray:
        """The frame as the networks see it, (H, W, 3) BGR uint8."""
        return displayed(frame, self.encoding.colour, self.tone_map)

    def _found(self, frames: Iterable[SourceFrame], lines: dict[int, dict[str, Any]], shot: int) -> Iterator[FilmFrame]:
        """Shots and faces; of known frames those found before. shot: the frame that the first's shot began with."""
        cuts = CutDetector()
        for source in frames:
            with self.clock.step('detect'):
                seen = self._seen(source.frame)
                is_cut = cuts.is_cut(seen)  # also of known frames: the next one is compared with it
                if (line := lines.get(source.index)) is not None:
                    is_cut = line['cut']
                shot = source.index if is_cut else shot
                if line is not None:
                    faces = found_of(line)
                else:
                    is_searched = (source.index - shot) % self.detect_every == 0
                    faces = self.restorer.detector.detect(seen) if is_searched else []
            yield FilmFrame(source, is_cut, faces)

    def _cropped(self, frames: Iterable[FilmFrame]) -> Iterator[FilmFrame]:
        """The crops of the followed faces."""
        from daefr_arch.restoration.restorer import TURNED_AWAY

        for frame, faces in self.follower.followed(frames):
            with self.clock.step('align'):
                if faces or self.restorer.bg_upsampler is not None:
                    img = self._seen(frame.source.frame)
                    work = PhotoWork(img, PhotoReport())
                    for track, matrix, detection in faces:
                        report = FaceReport.of(detection)
                        if alignment_error(detection.landmarks, matrix, self.restorer.face_size) > TURNED_AWAY:
                            report.warnings.append('turned far from the camera: the restored face may be wrong')
                        crop, own = crop_at_own_side(img, matrix, self.restorer.face_size)
                        work.crops.append(work.seen(crop))
                        work.matrices.append(own)
                        work.report.faces.append(report)
                        frame.restored_tracks.append(track)
                    if self.restorer.bg_upsampler is None:
                        work.img = img[:0, :0]  # only its crops are needed from here on
                    frame.work = work
            yield frame

    def _restored(self, frames: Iterable[FilmFrame]) -> Iterator[FilmFrame]:
        """Faces of the network, of GROUP frames together."""
        group: list[FilmFrame] = []
        for frame in frames:
            group.append(frame)
            if frame.index % GROUP == GROUP - 1:
                yield from self._group_restored(group)
                group = []
        yield from self._group_restored(group)

    def _group_restored(self, group: list[FilmFrame]) -> list[FilmFrame]:
        with self.clock.step('network'):
            if any(frame.work.crops for frame in group):
                self.restorer.restore_faces([frame.work for frame in group], weight=self.weight)
        return group

    def _pasted(self, frames: Iterable[FilmFrame], done: int) -> Iterator[tuple[FilmFrame, 'av.VideoFrame']]:
        for frame in frames:
            if frame.index < done:
                continue
            with self.clock.step('paste'):
                picture = self._picture(frame)
                frame.work.crops, frame.work.restored = [], []
            yield frame, picture

    def _picture(self, frame: FilmFrame) -> 'av.VideoFrame':
        """What is to be encoded: the film's own values, plus what its faces lacked."""
        if self.restorer.bg_upsampler is not None:
            _, _, whole = self.restorer.finish(frame.work)
            picture = load_av().VideoFrame.from_ndarray(whole, format='bgr24')
            return self.encoding.frame_of(picture)
        picture = self.encoding.frame_of(frame.source.frame)
        shape = (self.encoding.height, self.encoding.width)
        placed = change_of_photo(self.restorer.pasted_faces(frame.work), self.restorer.upscale, shape, multiple=CORNER)
        if placed is not None:
            change, (x, y) = placed
            if self.tone_map is not None:
                signal = to_bgr(picture, self.encoding.colour, depth=16)
                height, width = change.shape[:2]
                change = self.tone_map.change_of_signal(signal[y : y + height, x : x + width], change)
            add_change(picture, change, (x, y), self.encoding.colour)
        return picture
