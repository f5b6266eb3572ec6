"""A film in, the film with restored faces out: the Python API."""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any

from daefr_arch.errors import UsageError
from daefr_arch.io.atomic_file import make_folder
from daefr_arch.video.assembly import Assembly
from daefr_arch.video.encoding import Encoding, choose_encoding
from daefr_arch.video.film_options import FilmOptions
from daefr_arch.video.fingerprint import describe_run
from daefr_arch.video.library import load_av
from daefr_arch.video.pipeline import FilmPipeline, FilmRestorer
from daefr_arch.video.rate import at_rate
from daefr_arch.video.segment import Segment
from daefr_arch.video.segment_store import SegmentStore
from daefr_arch.video.shot_report import shot_lines
from daefr_arch.video.source import VideoSource
from daefr_arch.video.video_info import SourceFrame, VideoInfo

SEGMENT_FRAMES = 240


@dataclass(frozen=True)
class VideoResult:
    """What became of a film.

    Attributes:
        path: of the result.
        frames: that it has; resumed: how many of them a run before had made.
        shots: a dict each: start, end, frames, faces, tracks, warnings.
        warnings: of the film as a whole; where it was cut off or damaged, they say so.
        seconds: that each step worked; steps overlap.
        elapsed: seconds from start to end.
    """

    path: Path
    frames: int
    resumed: int
    shots: list[dict[str, Any]]
    warnings: list[str]
    seconds: dict[str, float]
    elapsed: float

    @property
    def is_damaged(self) -> bool:
        """Whether something of the source could not be read."""
        return any('damaged' in text for text in self.warnings)

    def throughput(self) -> str:
        """Frames a second, the share of each step of the work, and how much of the time the slowest was at work."""
        total = sum(self.seconds.values())
        if not total:
            return 'nothing was left to do'
        steps = sorted(self.seconds.items(), key=lambda step: -step[1])
        shares = ', '.join(f'{step} {seconds / total:.0%}' for step, seconds in steps)
        slowest, seconds = steps[0]
        rate = (self.frames - self.resumed) / self.elapsed
        busy = f'{slowest} was busy {seconds / self.elapsed:.0%} of the time'
        return f'{rate:.2f} frames/s; work of the steps: {shares}; {busy}'


def restore_video(
    path: str | Path,
    out: str | Path,
    restorer: FilmRestorer,
    *,
    options: FilmOptions | None = None,
    resume: bool = True,
    overwrite: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> VideoResult:
    """Restores the faces of a film. Everything else of it is kept: frames, times, sound, subtitles, chapters, tags.

    Memory does not grow with the film's length. What is done is kept in segments beside the result; a run that was
    stopped, however it was, goes on from them.

    Args:
        path: any film that FFmpeg reads, or an animated GIF, WebP or PNG; its content says which, not its name.
        out: the film to write: .mp4, .m4v, .mov, .mkv or .webm. It appears whole or not at all.
        restorer: a DAEFRRestorer; its `upscale` applies to the film.
        options: how; the defaults of FilmOptions if None.
        resume: go on from the segments of a run before; else they are thrown away.
        overwrite: replace a result that is there.
        progress: called with the frames that are done and those that there are, 0 where the film does not say.

    Raises:
        InputError: there is no film in the file, no frame in the film, or it is interlaced.
        UsageError: impossible options, a result that is there, segments of another run.
        OutputError: the result or a segment cannot be written.
    """
    begin = time.perf_counter()
    path, out, options = Path(path), Path(out), options or FilmOptions()
    if out.exists() and not overwrite:
        raise UsageError(f'{out}: is there already; overwrite it (--overwrite) or choose another name')
    if out.exists() and out.samefile(path):
        raise UsageError(f'{out}: is the film itself; choose another name')
    source = VideoSource(path, start=options.start, end=options.end, deinterlace=options.deinterlace)
    encoding = _encoding(source.info, out, restorer, options)
    make_folder(out.parent)
    assembly = Assembly(source.info, out, encoding, audio=options.audio, start=options.start, end=options.end)
    store = SegmentStore(out, describe_run(path, restorer, options, encoding))
    pipeline = FilmPipeline(
        restorer,
        encoding,
        steadiness=options.steadiness,
        detect_every=options.detect_every,
        weight=options.weight,
    )
    with store.opened(resume=resume):
        resumed = _restore(source, pipeline, store, options, progress)
        segments = store.finished()
        with pipeline.clock.step('assemble'):
            assembly.write(segments)
        shots = list(shot_lines(_lines(segments), float(encoding.time_base)))
        store.remove()
    return VideoResult(
        out,
        sum(shot['frames'] for shot in shots),
        resumed,
        shots,
        source.warnings + assembly.warnings + _warnings(encoding),
        pipeline.clock.seconds,
        time.perf_counter() - begin,
    )


def _encoding(info: VideoInfo, out: Path, restorer: FilmRestorer, options: FilmOptions) -> Encoding:
    encoding = choose_encoding(
        info, out, upscale=restorer.upscale, codec=options.codec, crf=options.crf, preset=options.preset
    )
    deep = load_av().VideoFormat(info.pixel_format).components[0].bits > 8
    if restorer.bg_upsampler is not None and (deep or info.colour.is_hdr):
        raise UsageError(
            f'{info.path.name}: a background upsampler draws 8 bits, the film has more: leave out --bg_upsampler'
        )
    if options.fps is not None:
        encoding = replace(encoding, time_base=1 / Fraction(options.fps), rate=Fraction(options.fps))
    return encoding


def _warnings(encoding: Encoding) -> list[str]:
    """What the codec does to the frames."""
    if not any(encoding.padding):
        return []
    width, height = encoding.width, encoding.height
    size = f'{width + encoding.padding[0]}x{height + encoding.padding[1]}'
    return [f'{width}x{height} became {size}: {encoding.codec} needs even sides; the last pixels are there twice']


def _restore(
    source: VideoSource,
    pipeline: FilmPipeline,
    store: SegmentStore,
    options: FilmOptions,
    progress: Callable[[int, int], None] | None,
) -> int:
    """Writes the segments that are missing; returns how many frames were there before."""
    encoding, clock = pipeline.encoding, pipeline.clock
    finished = store.finished()
    done = sum(len(Segment(path).frames) for path in finished)
    if done % SEGMENT_FRAMES:
        return done  # the last segment is there: only the film was not put together yet
    expected = _expected(source.info, options)
    shift = round(Fraction(options.start).limit_denominator(1_000_000) / encoding.time_base)

    def frames_from(first: int, pts: int) -> Iterator[SourceFrame]:
        if not first or options.fps is not None:
            return islice(_all_frames(source, options), first, None)
        return source.frames(number=first, from_pts=pts + shift)

    number, count = len(finished), done
    with closing(pipeline.frames(frames_from, known=_lines(finished), done=done)) as restored:
        upcoming = next(restored, None)
        while upcoming is not None:
            with store.writer(number, encoding) as writer:
                while upcoming is not None and len(writer.frames) < SEGMENT_FRAMES:
                    frame, picture = upcoming
                    line = frame.line(frame.source.pts - shift)
                    picture.pts, picture.time_base = line['pts'], encoding.time_base
                    picture.duration = frame.source.duration
                    with clock.step('encode'):
                        writer.add(picture, line)
                    count += 1
                    if progress is not None:
                        progress(count, expected)
                    upcoming = next(restored, None)
            number += 1
    return done


def _all_frames(source: VideoSource, options: FilmOptions) -> Iterator[SourceFrame]:
    frames = source.frames()
    return frames if options.fps is None else at_rate(frames, source.info.time_base, options.fps)


def _expected(info: VideoInfo, options: FilmOptions) -> int:
    """Frames of the result, as far as the file says."""
    seconds = (options.end or info.seconds) - options.start
    if options.fps is None and not options.start and options.end is None and info.expected:
        return info.expected
    return max(0, round(seconds * (options.fps or info.rate)))


def _lines(segments: Iterable[Path]) -> Iterator[dict[str, Any]]:
    for path in segments:
        yield from Segment(path).frames
