"""Frames as a display of 8 bits shows them, and as the networks see them."""

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING

import numpy as np

from daefr_arch.video.colour import Colour, to_bgr
from daefr_arch.video.source import VideoSource
from daefr_arch.video.tone_map import ToneMap
from daefr_arch.video.video_info import SourceFrame

if TYPE_CHECKING:
    import av


def displayed(frame: 'av.VideoFrame', colour: Colour, tone_map: ToneMap | None) -> np.ndarray:
    """The frame as (H, W, 3) BGR uint8. tone_map: of films of high dynamic range."""
    return to_bgr(frame, colour) if tone_map is None else tone_map.to_display(to_bgr(frame, colour, depth=16))


def displayed_frames(
    source: VideoSource, numbers: Collection[int] | None = None
) -> Iterator[tuple[SourceFrame, np.ndarray]]:
    """The frames of a film, each as it is displayed; those of these numbers, or all of them."""
    colour = source.info.colour
    tone_map = ToneMap(colour) if colour.is_hdr else None
    last = None if numbers is None else max(numbers, default=-1)
    for frame in source.frames():
        if numbers is None or frame.index in numbers:
            yield frame, displayed(frame.frame, colour, tone_map)
        if frame.index == last:
            return
