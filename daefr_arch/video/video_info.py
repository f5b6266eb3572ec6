"""What is known of a film before it is restored, and a frame of it."""

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from daefr_arch.video.colour import Colour
from daefr_arch.video.hdr_metadata import UNKNOWN, HdrMetadata

if TYPE_CHECKING:
    import av


@dataclass(frozen=True)
class SourceFrame:
    """A decoded frame: its number from 0, time stamp and duration in the film's time base."""

    index: int
    pts: int
    duration: int
    frame: 'av.VideoFrame'


@dataclass(frozen=True)
class VideoInfo:
    """What is known of a film before it is restored.

    width, height: of upright frames. time_base: seconds of a tick. rate: frames a second, a guess where it varies.
    sample_aspect: width over height of a pixel, upright. filters: what makes frames upright and whole ones of fields.
    stream: its index in the file, None for animated pictures. expected: frames that the file says it has, 0 if it does
    not. seconds: length that the file states, 0 if it does not.
    """

    path: Path
    width: int
    height: int
    pixel_format: str
    time_base: Fraction
    rate: Fraction
    sample_aspect: Fraction
    colour: Colour
    filters: tuple[str, ...] = ()
    stream: int | None = None
    expected: int = 0
    seconds: float = 0.0
    hdr: HdrMetadata = UNKNOWN

    @property
    def is_animation(self) -> bool:
        """Whether it is a GIF, WebP or PNG of several pictures."""
        return self.stream is None
