"""The finished film: restored frames from their segments, and all else of the source as it was."""

import heapq
import os
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

from daefr_arch.errors import OutputError, UsageError
from daefr_arch.io.atomic_file import atomic_path
from daefr_arch.video.decode_times import decode_times, reorder_depth
from daefr_arch.video.encoding import CODECS, Encoding
from daefr_arch.video.library import load_av
from daefr_arch.video.segment import Segment
from daefr_arch.video.source import is_still
from daefr_arch.video.video_info import VideoInfo

# ending of the name -> FFmpeg's name of the container
FORMATS = {'.mp4': 'mp4', '.m4v': 'mp4', '.mov': 'mov', '.mkv': 'matroska', '.webm': 'webm'}
MOV = ('.mp4', '.m4v', '.mov')
# what the muxer writes itself, or what was true of the source's bytes alone
_OWN_TAGS = {'major_brand', 'minor_version', 'compatible_brands', 'encoder', 'duration', 'vendor_id', 'rotate'}
_OWN_TAGS |= {'bps', 'number_of_frames', 'number_of_bytes', '_statistics_writing_app', '_statistics_tags'}
_OWN_TAGS |= {'_statistics_writing_date_utc'}


class Assembly:
    """Puts the film together.

    Args:
        info: the source.
        out: the file to write; the ending says which container.
        encoding: of the segments.
        audio: 'copy' or 'none'.
        start, end: seconds of the source that the film shows; all streams are cut and moved alike.

    `warnings`: streams that the container cannot hold. Raises UsageError where those are sound or subtitles.
    """

    def __init__(
        self,
        info: VideoInfo,
        out: Path,
        encoding: Encoding,
        *,
        audio: str = 'copy',
        start: float = 0.0,
        end: float | None = None,
    ) -> None:
        self.info = info
        self.out = out
        self.encoding = encoding
        self.audio = audio
        self.start = Fraction(start).limit_denominator(1_000_000)
        self.end = None if end is None else Fraction(end).limit_denominator(1_000_000)
        self.warnings: list[str] = []
        self._check()

    def write(self, segments: Sequence[Path]) -> None:
        """Writes the film, whole or not at all, from the files of the segments. Raises OutputError where it cannot."""
        av = load_av()
        with atomic_path(self.out) as temporary:
            try:
                self._write(temporary, segments)
            except av.error.FFmpegError as error:
                raise OutputError(f'{self.out}: cannot be written: {error.strerror}') from error

    def _check(self) -> None:
        """Writes the head of the film to nowhere: what the container cannot hold shall be known now."""
        av = load_av()
        with self._opened_source() as source, av.open(os.devnull, 'w', format=self._format) as target:
            self._add_streams(source, target)
            try:
                target.start_encoding()
            except (av.error.FFmpegError, ValueError) as error:
                raise UsageError(
                    f'{self.out.name}: the container cannot hold the streams of the source: {error}'
                ) from error

    @property
    def _format(self) -> str:
        return FORMATS[self.out.suffix.lower()]

    def _opened_source(self) -> Any:
        av = load_av()
        return av.open(str(self.info.path), metadata_errors='replace')

    def _write(self, path: Path, segments: Sequence[Path]) -> None:
        av = load_av()
        options = {'movflags': 'faststart'} if self._is_mov else {}
        with self._opened_source() as source:
            if self._is_mov and any(key.startswith('com.') for key in source.metadata):
                options['movflags'] += '+use_metadata_tags'
            with av.open(str(path), 'w', format=self._format, options=options) as target:
                film, others = self._add_streams(source, target)
                target.metadata.update(_kept(source.metadata))
                target.set_chapters(self._chapters(source))
                target.start_encoding()
                timed = heapq.merge(self._film(film, segments), self._copied(source, others), key=lambda item: item[0])
                for _, packet in timed:
                    target.mux(packet)

    @property
    def _is_mov(self) -> bool:
        return self.out.suffix.lower() in MOV

    def _add_streams(self, source: Any, target: Any) -> tuple[Any, dict[int, Any]]:
        """Streams in the source's order: the film's, and of the others index -> stream."""
        film, others = None, dict[int, Any]()
        if self.info.is_animation:
            return self._add_film(target), others
        for stream in source.streams:
            if stream.index == self.info.stream:
                film = self._add_film(target)
                _describe(stream, film)
            elif (copy := self._add_copy(stream, source, target)) is not None:
                others[stream.index] = copy
        return film, others

    def _add_film(self, target: Any) -> Any:
        film = target.add_stream(CODECS[self.encoding.codec].encoder, rate=self.encoding.rate)
        self.encoding.configure(film.codec_context)
        film.time_base = self.encoding.time_base
        return film

    def _add_copy(self, stream: Any, source: Any, target: Any) -> Any:
        """The stream that takes another's packets; None where it is left out."""
        if stream.type == 'audio' and self.audio == 'none':
            return None
        if stream.type == 'data':
            if (chapters := source.chapters()) and stream.frames == len(chapters):
                return None  # QuickTime's track of the chapters, which are written anew
            if not self._is_mov:
                self.warnings.append(f'stream {stream.index} (data) was left out: {self.out.suffix} holds none')
                return None
        if stream.type == 'attachment':
            if self._format == 'matroska':
                tags = stream.metadata
                target.add_attachment(tags.get('filename', 'attachment'), tags.get('mimetype', ''), stream.data)
            else:
                self.warnings.append(f'an attachment was left out: {self.out.suffix} holds none')
            return None
        try:
            copy = target.add_stream_from_template(stream, opaque=True)
        except ValueError as error:
            if stream.type in ('audio', 'subtitle'):
                way_out = ' or --audio none' if stream.type == 'audio' else ''
                name = stream.codec_context.name
                raise UsageError(
                    f'{self.out.suffix} cannot hold the {stream.type} of the source ({name}): '
                    f'write a film ending in .mkv{way_out}'
                ) from error
            self.warnings.append(
                f'stream {stream.index} ({stream.type}) was left out: {self.out.suffix} cannot hold it'
            )
            return None
        _describe(stream, copy)
        return copy

    def _chapters(self, source: Any) -> list[dict[str, Any]]:
        """The source's chapters, cut and moved as the film is."""
        chapters = []
        for chapter in source.chapters():
            base = chapter['time_base']
            start, end = (chapter[key] * base - self.start for key in ('start', 'end'))
            length = None if self.end is None else self.end - self.start
            if end > 0 and (length is None or start < length):
                end = end if length is None else min(end, length)
                times = {'start': round(max(start, Fraction(0)) / base), 'end': round(end / base)}
                chapters.append({**chapter, **times})
        return chapters

    def _film(self, stream: Any, segments: Sequence[Path]) -> Iterator[tuple[float, Any]]:
        """The restored frames' packets with the times of their decoding."""
        av = load_av()
        base = self.encoding.time_base
        depth = max(reorder_depth([packet.pts for packet in Segment(path).packets]) for path in segments)
        step = max(1, round(1 / self.encoding.rate / base))
        shown = (line['pts'] for path in segments for line in Segment(path).frames)
        times = decode_times(shown, depth, step)
        for path in segments:
            segment = Segment(path)
            durations = {line['pts']: line['duration'] for line in segment.frames}
            for entry, data in segment.read():
                packet = av.Packet(data)
                packet.pts, packet.dts, packet.duration = entry.pts, next(times), durations[entry.pts]
                packet.time_base, packet.is_keyframe, packet.stream = base, entry.is_key, stream
                yield float(packet.dts * base), packet

    def _copied(self, source: Any, others: Mapping[int, Any]) -> Iterator[tuple[float, Any]]:
        """The packets of the other streams."""
        av = load_av()
        if not others:
            return
        stills = {stream.index for stream in source.streams.video if is_still(stream)}
        packets = source.demux([source.streams[index] for index in others])
        while True:
            try:
                packet = next(packets, None)
            except av.error.FFmpegError:  # cut off: the film's reader has said so
                return
            if packet is None:
                return
            if packet.size == 0 or (packet.dts is None and packet.pts is None):
                continue
            base = packet.time_base
            kept_whole = packet.stream.index in stills
            begin = (packet.pts if packet.pts is not None else packet.dts) * base
            if not kept_whole and not self._is_shown(begin, begin + (packet.duration or 0) * base):
                continue
            moved = 0 if kept_whole else round(self.start / base)
            if moved:
                packet.pts = None if packet.pts is None else packet.pts - moved
                packet.dts = None if packet.dts is None else packet.dts - moved
            time = float((packet.dts if packet.dts is not None else packet.pts) * base)
            packet.stream = others[packet.stream.index]
            yield time, packet

    def _is_shown(self, begin: Fraction, end: Fraction) -> bool:
        return (end > self.start or not self.start) and (self.end is None or begin < self.end)


def _describe(source: Any, target: Any) -> None:
    """Tags, language and dispositions."""
    target.metadata.update(_kept(source.metadata))
    target.disposition = source.disposition


def _kept(tags: Mapping[str, str]) -> dict[str, str]:
    return {key: value for key, value in tags.items() if key.lower().partition('-')[0] not in _OWN_TAGS}
