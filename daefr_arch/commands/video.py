"""`daefr video`: a film in, the film with restored faces out, with its sound and all else that was in it."""

import argparse
import logging
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from daefr_arch.choices import CODECS, FILM_ENDINGS, STEADINESS
from daefr_arch.commands.arguments import (
    add_input,
    count,
    number,
    output_file,
    output_folder,
    share,
    upscale,
    whole_number,
)
from daefr_arch.commands.restorer_arguments import (
    add_background_arguments,
    add_detection_arguments,
    add_model_arguments,
    add_weight,
    build_restorer,
)

if TYPE_CHECKING:
    from daefr_arch.restoration.restorer import DAEFRRestorer
    from daefr_arch.video.film_options import FilmOptions
    from daefr_arch.video.restore_video import VideoResult

_logger = logging.getLogger(__name__)

GO_ON = 'the same command goes on'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of the command."""
    add_input(parser, 'film, or animated GIF, WebP or PNG')
    parser.add_argument(
        *('-o', '--output', '--output_path'),
        dest='output',
        type=_output,
        default=Path('results'),
        metavar='PATH',
        help='folder of the result, made if missing, or its file',
    )
    faces = parser.add_argument_group('faces')
    add_weight(faces)
    faces.add_argument(
        '--steadiness',
        type=share,
        default=STEADINESS,
        metavar='S',
        help='how much faces are steadied over time: 0 restores each frame by itself',
    )
    faces.add_argument(
        '--detect_every', type=count, default=1, metavar='N', help='frames from one search for faces to the next'
    )
    add_detection_arguments(faces)
    _add_film_arguments(parser.add_argument_group('film'))
    picture = parser.add_argument_group('picture')
    picture.add_argument(
        *('-s', '--upscale'), type=upscale, default=1, metavar='SCALE', help='size of the result over that of the film'
    )
    add_background_arguments(picture)
    add_model_arguments(parser.add_argument_group('model'))
    _add_file_arguments(parser.add_argument_group('files'))
    parser.set_defaults(face_upsample=False, identity_weights=None)  # what only photos have


def _add_film_arguments(group: argparse._ArgumentGroup) -> None:
    group.add_argument('--codec', choices=CODECS, help="the container's usual one if not given; h265 for HDR")
    group.add_argument(
        '--crf', type=whole_number(0, 63), metavar='N', help='quality: lower is better and larger; 16 for h264'
    )
    group.add_argument(
        '--preset', metavar='NAME', help='ultrafast to placebo for h264 and h265, 13 to 0 for av1, 8 to 0 for vp9'
    )
    group.add_argument(
        '--fps',
        type=_rate,
        metavar='RATE',
        help='change the frames a second, as 25 or 30000/1001; else all keep their times',
    )
    group.add_argument('--start', type=_seconds, default=0.0, metavar='TIME', help='seconds, or h:mm:ss')
    group.add_argument('--end', type=_seconds, metavar='TIME', help='seconds, or h:mm:ss')
    group.add_argument('--audio', choices=('copy', 'none'), default='copy', help='copy: all tracks, bit for bit')
    group.add_argument('--deinterlace', action='store_true', help='make whole frames of an interlaced film')


def _add_file_arguments(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        '--ext',
        choices=('auto', 'mp4', 'mov', 'mkv', 'webm'),
        default='auto',
        help="container of the result; auto: the film's, mkv where that is old, mp4 for animations",
    )
    group.add_argument('--suffix', help='appended to the name of the result')
    group.add_argument(
        '--report', type=output_file, metavar='FILE', help='a JSON line a shot; NAME.report.jsonl if not given'
    )
    group.add_argument('--overwrite', action='store_true', help='replace a result that exists (else: an error)')
    group.add_argument(
        '--no_resume', action='store_true', help='begin anew; else a run that was stopped goes on where it was'
    )


def _output(text: str) -> Path:
    return output_file(text) if Path(text).suffix.lower() in FILM_ENDINGS else output_folder(text)


def _seconds(text: str) -> float:
    parts = text.split(':')
    if len(parts) > 3:
        raise argparse.ArgumentTypeError(f'expected seconds or h:mm:ss, got {text!r}')
    seconds = 0.0
    for part in parts:
        seconds = seconds * 60 + number(0)(part)
    return seconds


def _rate(text: str) -> Fraction:
    try:
        rate = Fraction(text)
    except (ValueError, ZeroDivisionError):
        rate = Fraction(0)
    if not 0 < rate <= 1000:
        raise argparse.ArgumentTypeError(f'expected frames a second, as 25 or 30000/1001, got {text!r}')
    return rate


def run(args: argparse.Namespace) -> int:
    """Restores the film; returns OK, PARTIAL where some of it could not be read."""
    from daefr_arch.commands.exit_codes import OK, PARTIAL
    from daefr_arch.video.film_options import FilmOptions
    from daefr_arch.video.library import load_av
    from daefr_arch.video.result_name import result_path

    load_av()
    options = FilmOptions(
        codec=args.codec,
        crf=args.crf,
        preset=args.preset,
        fps=args.fps,
        start=args.start,
        end=args.end,
        audio=args.audio,
        steadiness=args.steadiness,
        detect_every=args.detect_every,
        deinterlace=args.deinterlace,
        weight=args.weight,
    )
    out = result_path(Path(args.input), args.output, extension=args.ext, suffix=args.suffix, codec=args.codec)
    result = restore_film(
        Path(args.input),
        out,
        build_restorer(args),
        options,
        resume=not args.no_resume,
        overwrite=args.overwrite,
        report=args.report,
    )
    return PARTIAL if result.is_damaged else OK


def restore_films(
    films: Sequence[tuple[Path, Path]], restorer: 'DAEFRRestorer', options: 'FilmOptions', *, overwrite: bool
) -> int:
    """Restores films, each with its result; one that fails never stops the others. Returns OK, PARTIAL or FAILED."""
    from daefr_arch.commands.exit_codes import FAILED, OK, PARTIAL
    from daefr_arch.errors import DAEFRError

    failed = damaged = 0
    for film, out in films:
        try:
            result = restore_film(film, out, restorer, options, resume=True, overwrite=overwrite, report=None)
        except DAEFRError as error:
            _logger.error('%s', error)
            failed += 1
        else:
            damaged += result.is_damaged
    return OK if not failed + damaged else FAILED if failed == len(films) else PARTIAL


def restore_film(
    path: Path,
    out: Path,
    restorer: 'DAEFRRestorer',
    options: 'FilmOptions',
    *,
    resume: bool,
    overwrite: bool,
    report: Path | None,
) -> 'VideoResult':
    """Restores a film with a progress bar, writes the report, and says what was done."""
    from daefr_arch.io.json_lines import JsonLinesWriter
    from daefr_arch.io.progress import frame_progress
    from daefr_arch.video.restore_video import restore_video

    with frame_progress() as show:
        result = restore_video(path, out, restorer, options=options, resume=resume, overwrite=overwrite, progress=show)
    with JsonLinesWriter(report or out.with_name(f'{out.name}.report.jsonl')) as lines:
        for shot in result.shots:
            lines.write({'input': str(path), 'output': str(out), **shot})
    faces = sum(shot['faces'] for shot in result.shots)
    _logger.info('%d frames, %d of them new, %d faces in %d shots: %s', *_counts(result), faces, len(result.shots), out)
    _logger.info('%s', result.throughput())
    return result


def _counts(result: 'VideoResult') -> tuple[int, int]:
    return result.frames, result.frames - result.resumed
