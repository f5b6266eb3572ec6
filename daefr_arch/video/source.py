"""What is read of a film: frames with their own time stamps, upright, one after the other."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from daefr_arch.errors import InputError
from daefr_arch.video import animation
from daefr_arch.video.colour import Colour
from daefr_arch.video.hdr_metadata import HdrMetadata
from daefr_arch.video.library import load_av
from daefr_arch.video.recognition import is_animation
from daefr_arch.video.turning import FrameFilter, turning_filters
from daefr_arch.video.video_info import SourceFrame, VideoInfo

if TYPE_CHECKING:
    import av

SHORT_BY = 1.0  # seconds that a film may end before its stated end without being called cut off
_STILL = ('attached_pic', 'still_image', 'timed_thumbnails')

_logger = logging.getLogger(__name__)


@dataclass
class VideoSource:
    """A film that is read from its beginning to its end, or from one time to another.

    Args:
        path: any container that FFmpeg knows, or an animated GIF, WebP or PNG; its content says which.
        start, end: seconds; frames before and from there on are left out.
        deinterlace: make whole frames of interlaced ones, which are refused otherwise.

    `warnings` grows while it is read. Raises InputError where there is no film in the file, no frame, or what cannot be
    restored as it is.
    """

    path: Path
    start: float = 0.0
    end: float | None = None
    deinterlace: bool = False
    warnings: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.path = Path(self.path)
        if not self.path.is_file():
            raise InputError(f'{self.path}: no such film')
        self.info = animation.info_of(self.path) if is_animation(self.path) else self._probe()

    def frames(self, *, number: int = 0, from_pts: int | None = None) -> Iterator[SourceFrame]:
        """The frames. from_pts: begin with the frame of this time stamp, whose number is `number`."""
        base = self.info.time_base
        begin = round(self.start / base) if from_pts is None else from_pts
        end = None if self.end is None else self.end / base
        trimmed = self.start > 0 or from_pts is not None
        first, last = number, None
        for frame in animation.frames_of(self.path) if self.info.is_animation else self._from(begin):
            pts, duration = self._time_of(frame, last)
            last = pts + duration
            if end is not None and pts >= end:
                break
            if pts >= begin or not trimmed:
                yield SourceFrame(number, pts, duration, frame)
                number += 1
        else:
            self._check_end(number, None if last is None else float(last * base))
        if number == first:
            raise InputError(f'{self.path}: no frame ' + ('between start and end' if last else 'could be decoded'))

    def _from(self, begin: int) -> Iterator['av.VideoFrame']:
        """Upright frames from a key frame at or before this time stamp on: from the first where none can be found."""
        if begin > 0 and not self.deinterlace:  # what a deinterlacer makes of a frame depends on those before it
            frames = self._decoded(begin)
            first = next(frames, None)
            if first is not None and first.pts is not None and first.pts <= begin:
                yield first
                yield from frames
                return
        yield from self._decoded()

    def _time_of(self, frame: 'av.VideoFrame', expected: int | None) -> tuple[int, int]:
        """Time stamp and duration, made up where the file has none."""
        duration = int(frame.duration) or max(1, round(1 / self.info.rate / self.info.time_base))
        if frame.pts is None:
            self._warn('frames without a time stamp: they follow each other at the nominal rate')
            return expected or 0, duration
        return int(frame.pts), duration

    def _check_end(self, count: int, end: float | None) -> None:
        """Notes where a file holds less than it says."""
        trimmed = self.start > 0 or self.end is not None
        if not trimmed and self.info.expected > count:
            self._warn(f'cut off or damaged: {count} of {self.info.expected} frames could be decoded')
        elif end is not None and self.info.seconds - end > SHORT_BY:
            self._warn(f'cut off or damaged: frames end at {end:.2f} of {self.info.seconds:.2f} seconds')

    def _decoded(self, begin: int | None = None) -> Iterator['av.VideoFrame']:
        """The frames in the order of their display, upright: all, or from a key frame before `begin` on."""
        av = load_av()
        with av.open(str(self.path)) as container:
            stream = container.streams[self.info.stream]
            stream.thread_type = 'AUTO'
            if begin is not None:
                try:
                    container.seek(begin, stream=stream)
                except av.error.FFmpegError:
                    return
            filters = FrameFilter(self.info.filters, self.info.time_base)
            for frame in filters.through(self._decoded_as_stored(container, stream)):
                if (frame.width, frame.height, frame.format.name) != self._layout:
                    self._warn('size or pixel format change on the way: all frames were brought to those of the first')
                    frame = self._as_first(frame)
                yield frame

    @property
    def _layout(self) -> tuple[int, int, str]:
        return self.info.width, self.info.height, self.info.pixel_format

    def _as_first(self, frame: 'av.VideoFrame') -> 'av.VideoFrame':
        width, height, name = self._layout
        return frame.reformat(width=width, height=height, format=name)

    def _decoded_as_stored(self, container: Any, stream: Any) -> Iterator['av.VideoFrame']:
        av = load_av()
        packets = container.demux(stream)
        while True:
            try:
                packet = next(packets)
            except StopIteration:
                return
            except av.error.FFmpegError as error:
                self._warn(f'cut off or damaged: {error.strerror}')
                return
            try:
                decoded = packet.decode()
            except av.error.EOFError:
                return
            except av.error.FFmpegError:
                self._warn('damaged places: frames that cannot be decoded are left out')
                continue
            for frame in decoded:
                if frame.is_corrupt:
                    self._warn('damaged places: frames with errors in them')
                if frame.interlaced_frame and not self.deinterlace:
                    raise InputError(
                        f'{self.path}: interlaced film: its fields would be restored as one picture; '
                        'let whole frames be made of them (--deinterlace)'
                    )
                yield frame

    def _warn(self, text: str) -> None:
        if text not in self.warnings:
            self.warnings.append(text)
            _logger.warning('%s: %s', self.path.name, text)

    def _probe(self) -> VideoInfo:
        av = load_av()
        try:
            container = av.open(str(self.path))
        except (av.error.FFmpegError, ValueError, OSError) as error:
            reason = getattr(error, 'strerror', None) or error
            raise InputError(f'{self.path}: not a film, or damaged: {reason}') from error
        with container:
            stream = _film_of(container, self.path)
            first = next(iter(self._decoded_as_stored(container, stream)), None)
            if first is None:
                raise InputError(f'{self.path}: no frame could be decoded: the film is empty or damaged')
            turned = turning_filters(first)
            filters = (*(('bwdif=mode=send_frame',) if self.deinterlace else ()), *turned)
            transposed = any(name.startswith('transpose') for name in filters)
            aspect = stream.sample_aspect_ratio or Fraction(1)
            upright = next(FrameFilter(filters, stream.time_base).through(iter([first])))
            length = 0 if stream.duration is None else float(stream.duration * stream.time_base)
            return VideoInfo(
                self.path,
                upright.width,
                upright.height,
                upright.format.name,
                stream.time_base,
                stream.average_rate or stream.guessed_rate or Fraction(25),
                1 / aspect if transposed else aspect,
                Colour.of(first),
                filters,
                stream.index,
                stream.frames,
                length + float((stream.start_time or 0) * stream.time_base) if length else _tagged_length(stream),
                HdrMetadata.of(first),
            )


def _film_of(container: Any, path: Path) -> Any:
    """The video stream to restore: the one marked as default, else the first that is no still picture."""
    films = [stream for stream in container.streams.video if not is_still(stream)]
    if not films:
        kinds = sorted({stream.type for stream in container.streams}) or ['nothing']
        raise InputError(f'{path}: expected a film, the file holds no moving pictures but {" and ".join(kinds)}')
    return next((stream for stream in films if 'default' in _dispositions(stream)), films[0])


def is_still(stream: Any) -> bool:
    """Whether a video stream is a picture beside the film, such as a cover."""
    return any(name in _dispositions(stream) for name in _STILL)


def _dispositions(stream: Any) -> set[str]:
    return {flag.name for flag in type(stream.disposition) if flag in stream.disposition}


def _tagged_length(stream: Any) -> float:
    """Seconds of Matroska's tag DURATION, `00:00:04.670000000`; 0 without one."""
    text = stream.metadata.get('DURATION', '')
    try:
        hours, minutes, seconds = text.split(':')
        return int(hours) * 3600 + int(minutes) * 60 + float(seconds)
    except ValueError:
        return 0.0
