"""The beginning of a film as every browser plays it: H.264 of 8 bits, 4:2:0, square pixels, small."""

import io
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from daefr_arch.video.colour import BT709, LIMITED, Colour
from daefr_arch.video.displayed import displayed_frames
from daefr_arch.video.encoding import Encoding
from daefr_arch.video.library import load_av
from daefr_arch.video.source import VideoSource
from daefr_arch.video.video_info import VideoInfo

if TYPE_CHECKING:
    import av

LONGEST_SIDE = 960  # pixels
CRF, PRESET = 18, 'fast'
# few steps from a frame that stands by itself to any other, as somebody who compares jumps; and the first frame at 0
JUMPING = {'g': '24', 'bf': '0'}


@dataclass(frozen=True)
class FilmClip:
    """data: an mp4 file. width, height: pixels. frame_seconds: of a frame. is_whole: the film is no longer."""

    data: bytes
    width: int
    height: int
    frame_seconds: float
    is_whole: bool


def make_clip(film: Path, seconds: float) -> FilmClip:
    """The first seconds of a film without its sound; every frame has its own time, the first one's being 0.

    Raises InputError where there is no film in the file.
    """
    source = VideoSource(film)
    encoding = _encoding(source.info)
    file, is_whole, first = io.BytesIO(), True, None
    with load_av().open(file, 'w', format='mp4') as container:
        stream = container.add_stream('libx264', rate=encoding.rate)
        encoding.configure(stream.codec_context)
        stream.codec_context.options |= JUMPING
        stream.time_base = encoding.time_base
        for pts, duration, picture in _pictures(source):
            first = pts if first is None else first
            if (pts - first) * encoding.time_base >= seconds:
                is_whole = False
                break
            frame = encoding.frame_of(picture)
            frame.pts, frame.time_base, frame.duration = pts - first, encoding.time_base, duration
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return FilmClip(file.getvalue(), encoding.width, encoding.height, float(1 / encoding.rate), is_whole)


def _encoding(info: VideoInfo) -> Encoding:
    across, down = float(info.width * info.sample_aspect), float(info.height)
    scale = min(1.0, LONGEST_SIDE / max(across, down))
    width, height = (max(2, 2 * round(side * scale / 2)) for side in (across, down))
    # said in the clip: of films that do not say it, it would follow from the size
    colour = replace(info.colour, matrix=info.colour.matrix_of(info.height))
    if info.colour.is_hdr:
        colour = Colour(LIMITED, BT709, BT709, BT709)
    return Encoding(
        'h264', CRF, PRESET, 'yuv420p', width, height, (0, 0), info.time_base, info.rate, Fraction(1), colour
    )


def _pictures(source: VideoSource) -> Iterator[tuple[int, int, 'av.VideoFrame']]:
    """Time, duration and frame, in the film's own values; of high dynamic range as it is displayed."""
    if not source.info.colour.is_hdr:
        yield from ((frame.pts, frame.duration, frame.frame) for frame in source.frames())
        return
    for frame, picture in displayed_frames(source):
        yield frame.pts, frame.duration, load_av().VideoFrame.from_ndarray(picture, format='bgr24')
