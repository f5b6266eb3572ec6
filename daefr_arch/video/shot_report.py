"""What became of each shot: a line of the report for each."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any


def shot_lines(frames: Iterable[dict[str, Any]], time_base: float) -> Iterator[dict[str, Any]]:
    """Lines of segments, one a frame -> lines of the report, one a shot.

    A line: shot (its number), start and end (seconds), frames, faces (restored, of all frames together), tracks: for
    each face that was followed its frames, how many of them have which status, and evidence, the mean share of luma
    that is the film's; warnings, each with the number of its faces.
    """
    shot, number = None, 0
    for frame in frames:
        if shot is None or frame['cut']:
            if shot is not None:
                yield shot.line(number, time_base)
                number += 1
            shot = _Shot(frame['pts'])
        shot.add(frame)
    if shot is not None:
        yield shot.line(number, time_base)


@dataclass
class _Track:
    statuses: Counter[str] = field(default_factory=Counter)
    evidence: float = 0.0
    judged: int = 0

    def line(self, number: int) -> dict[str, Any]:
        return {
            'track': number,
            'frames': self.statuses.total(),
            'statuses': dict(self.statuses),
            'evidence': round(self.evidence / self.judged, 3) if self.judged else None,
        }


@dataclass
class _Shot:
    """Sums over the frames of a shot, which may be as long as the film."""

    start: int
    end: int = 0
    frames: int = 0
    tracks: dict[int, _Track] = field(default_factory=dict)
    warnings: Counter[str] = field(default_factory=Counter)

    def add(self, frame: dict[str, Any]) -> None:
        self.end = frame['pts'] + frame['duration']
        self.frames += 1
        for number, status, evidence, warnings in frame['faces']:
            track = self.tracks.setdefault(number, _Track())
            track.statuses[status] += 1
            if evidence is not None:
                track.evidence += evidence
                track.judged += 1
            self.warnings.update(warnings)

    def line(self, number: int, time_base: float) -> dict[str, Any]:
        return {
            'shot': number,
            'start': round(self.start * time_base, 3),
            'end': round(self.end * time_base, 3),
            'frames': self.frames,
            'faces': sum(track.statuses.total() for track in self.tracks.values()),
            'tracks': [track.line(number) for number, track in self.tracks.items()],
            'warnings': [f'{count} faces: {text}' for text, count in self.warnings.most_common()],
        }
