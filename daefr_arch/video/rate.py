"""Another number of frames a second, on purpose: frames are shown again or left out."""

from collections.abc import Iterable, Iterator
from fractions import Fraction

from daefr_arch.video.video_info import SourceFrame


def at_rate(frames: Iterable[SourceFrame], time_base: Fraction, rate: Fraction) -> Iterator[SourceFrame]:
    """The film at `rate`: at each of its times the frame that is shown then, in ticks of 1 / rate.

    time_base: of the frames that come.
    """
    number = 0
    begin = None
    current: SourceFrame | None = None
    for frame in frames:
        if begin is None:
            begin = round(frame.pts * time_base * rate)
        while current is not None and (begin + number) / rate < frame.pts * time_base:
            yield SourceFrame(number, begin + number, 1, current.frame)
            number += 1
        current = frame
    while (
        current is not None
        and begin is not None
        and (begin + number) / rate < (current.pts + current.duration) * time_base
    ):
        yield SourceFrame(number, begin + number, 1, current.frame)
        number += 1
