"""Frames made upright: what a display matrix asks for is done to the pixels, once."""

from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from daefr_arch.errors import InputError
from daefr_arch.video.library import load_av

if TYPE_CHECKING:
    import av

ONE = 1 << 16  # of the matrix' fixed-point numbers


def turning_filters(frame: 'av.VideoFrame') -> tuple[str, ...]:
    """FFmpeg's filters that do what the frame's display matrix says: none, or transpose, hflip and vflip.

    Raises InputError for an angle that is no multiple of 90 degrees.
    """
    beside: Any = frame.side_data
    data = next((bytes(side) for side in beside if side.type.name == 'DISPLAYMATRIX'), None)
    if data is None:
        return ()
    # (x, y) of the stored frame is shown at (a x + c y, b x + d y), up to where the picture's corner lies
    a, b, _, c, d = (np.frombuffer(data, np.int32)[:5] / ONE).round(2)
    if {abs(a), abs(d)} == {0.0} and b and c:
        first: tuple[str, ...] = ('transpose=dir=cclock_flip',)
        across, down = c, b
    elif {abs(b), abs(c)} == {0.0} and a and d:
        first = ()
        across, down = a, d
    else:
        raise InputError(f'turned by {frame.rotation} degrees: expected a multiple of 90; turn the film first')
    # vflip turns the order of the rows' addresses alone; copy makes it one that everything can read
    return (*first, *(('hflip',) if across < 0 else ()), *(('vflip', 'copy') if down < 0 else ()))


class FrameFilter:
    """A chain of FFmpeg's filters, which frames go through; without filters they are the same frames.

    Time stamps come out in `time_base`, whatever the filters make of it.
    """

    def __init__(self, filters: Sequence[str], time_base: Fraction) -> None:
        self.filters = filters
        self.time_base = time_base

    def through(self, frames: Iterator['av.VideoFrame']) -> Iterator['av.VideoFrame']:
        """The frames behind the filters, as many as came in."""
        if not self.filters:
            yield from frames
            return
        graph: Any = None
        layout = None
        for frame in frames:
            if layout != (frame.width, frame.height, frame.format.name):
                if graph is not None:
                    yield from self._rest(graph)
                layout = (frame.width, frame.height, frame.format.name)
                graph = self._graph(frame)
            graph.vpush(frame)
            yield from self._ready(graph)
        if graph is not None:
            yield from self._rest(graph)

    def _graph(self, frame: 'av.VideoFrame') -> Any:
        av = load_av()
        graph = av.filter.Graph()
        nodes = [
            graph.add_buffer(
                width=frame.width, height=frame.height, format=frame.format, time_base=frame.time_base or self.time_base
            )
        ]
        for text in self.filters:
            name, _, arguments = text.partition('=')
            nodes.append(graph.add(name, arguments or None))
        graph.link_nodes(*nodes, graph.add('buffersink')).configure()
        return graph

    def _ready(self, graph: Any) -> Iterator['av.VideoFrame']:
        av = load_av()
        while True:
            try:
                frame = graph.vpull()
            except (av.error.BlockingIOError, av.error.EOFError):
                return
            ticks = frame.time_base / self.time_base
            frame.pts = None if frame.pts is None else round(frame.pts * ticks)
            frame.duration = round((frame.duration or 0) * ticks)
            frame.time_base = self.time_base
            yield frame

    def _rest(self, graph: Any) -> Iterator['av.VideoFrame']:
        graph.vpush(None)
        yield from self._ready(graph)
