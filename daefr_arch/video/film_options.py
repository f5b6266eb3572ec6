"""What a film is restored with, checked."""

from dataclasses import asdict, dataclass
from fractions import Fraction
from typing import Any

from daefr_arch.choices import STEADINESS
from daefr_arch.errors import UsageError

AUDIO = ('copy', 'none')


@dataclass(frozen=True)
class FilmOptions:
    """Options of `restore_video`.

    Args:
        codec: 'h264', 'h265', 'vp9', 'av1', 'ffv1', 'prores'; None for the container's usual one.
        crf: quality, lower is better and larger; None for the codec's default, at which hardly a difference is seen.
        preset: of the codec, faster or smaller.
        fps: frames a second, for films whose number of frames shall change; None keeps every frame and its time.
        start, end: seconds of the source between which the film is restored.
        audio: 'copy' or 'none'.
        steadiness: how much faces are averaged and their alignments smoothed over time, in [0, 1].
        detect_every: faces are looked for in every so many frames, and followed between them.
        deinterlace: make whole frames of interlaced ones.
        weight: fidelity, as in DAEFRRestorer.enhance.

    Raises UsageError for what is impossible.
    """

    codec: str | None = None
    crf: int | None = None
    preset: str | None = None
    fps: Fraction | None = None
    start: float = 0.0
    end: float | None = None
    audio: str = 'copy'
    steadiness: float = STEADINESS
    detect_every: int = 1
    deinterlace: bool = False
    weight: float | None = None

    def __post_init__(self) -> None:
        if self.audio not in AUDIO:
            raise UsageError(f'audio: expected one of {", ".join(AUDIO)}, got {self.audio!r}')
        if not 0 <= self.steadiness <= 1:
            raise UsageError(f'steadiness: expected a number between 0 and 1, got {self.steadiness}')
        if self.start < 0 or (self.end is not None and self.end <= self.start):
            raise UsageError(f'start and end: expected 0 <= start < end, got {self.start} and {self.end}')
        if self.fps is not None and not 0 < self.fps <= 1000:
            raise UsageError(f'fps: expected a number above 0, at most 1000, got {self.fps}')
        if self.detect_every < 1:
            raise UsageError(f'detect_every: expected 1 or more frames, got {self.detect_every}')

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {name: str(value) if isinstance(value, Fraction) else value for name, value in asdict(self).items()}
