"""`daefr restore`: photos in, photos with restored faces out; CodeFormer's flags, and GFPGAN's spellings of them."""

import argparse
import logging
from pathlib import Path
from typing import TYPE_CHECKING

from daefr_arch import choices
from daefr_arch.commands.arguments import add_input, add_output, output_file
from daefr_arch.commands.restorer_arguments import (
    add_face_arguments,
    add_model_arguments,
    add_photo_arguments,
    add_photo_file_arguments,
    build_restorer,
)

if TYPE_CHECKING:
    from daefr_arch.restoration.output_layout import OutputLayout
    from daefr_arch.restoration.photo_source import PhotoSource
    from daefr_arch.restoration.restorer import DAEFRRestorer

_logger = logging.getLogger(__name__)

GO_ON = 'with --skip_existing the same command goes on'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of the command."""
    add_input(parser, 'image, film, folder or glob')
    add_output(parser, 'made if missing', default='results')
    add_face_arguments(parser.add_argument_group('faces'))
    photo = parser.add_argument_group('whole photo')
    add_photo_arguments(photo)
    photo.add_argument('--draw_box', action='store_true', help='draw the boxes of the faces into the result')
    photo.add_argument(
        '--evidence_map', action='store_true', help='also write pictures of what is evidence and what is a guess'
    )
    add_model_arguments(parser.add_argument_group('model'))
    _add_file_arguments(parser.add_argument_group('files'))


def _add_file_arguments(group: argparse._ArgumentGroup) -> None:
    group.add_argument('--layout', choices=choices.LAYOUTS, default='codeformer', help='names of the output folders')
    group.add_argument('--suffix', help='appended to the names of restored faces and photos')
    add_photo_file_arguments(group)
    group.add_argument(
        '--report',
        type=output_file,
        metavar='FILE',
        help='gets a JSON line for each photo, behind what it holds; report.jsonl in the output folder if not given',
    )
    existing = group.add_mutually_exclusive_group()
    existing.add_argument('--overwrite', action='store_true', help='replace results that exist (else: an error)')
    existing.add_argument(
        '--skip_existing', action='store_true', help='leave out inputs whose result exists and is reported'
    )


def run(args: argparse.Namespace) -> int:
    """Restores photos and films; returns OK, PARTIAL if some failed, FAILED if all did."""
    from daefr_arch.commands.exit_codes import OK, PARTIAL
    from daefr_arch.restoration.photo_source import photo_sources
    from daefr_arch.video.recognition import list_photos_and_films

    photos, films = list_photos_and_films(args.input)
    layout = _layout(args)
    # all that can be wrong is found before anything is restored
    todo_films = _plan_films(args, films, layout)
    found = photo_sources(photos)
    sources = _plan_photos(args, found, layout)
    if films and not todo_films and not sources:
        return OK
    restorer = build_restorer(args)
    codes = {_restore_photos(args, restorer, sources, layout, total=len(found))} if photos else set()
    if todo_films:
        codes.add(_restore_films(args, restorer, todo_films))
    return codes.pop() if len(codes) == 1 else PARTIAL


def _layout(args: argparse.Namespace) -> 'OutputLayout':
    from daefr_arch.restoration.output_layout import OutputLayout

    return OutputLayout(
        args.output,
        style=args.layout,
        has_aligned=args.has_aligned,
        extension=args.ext,
        suffix=args.suffix,
        evidence_maps=args.evidence_map,
    )


def _plan_films(args: argparse.Namespace, films: list[Path], layout: 'OutputLayout') -> list[tuple[Path, Path]]:
    """The films that are to be restored, each with its result in the folder of the whole photos."""
    from daefr_arch.errors import UsageError
    from daefr_arch.video.library import load_av
    from daefr_arch.video.result_name import result_path

    if not films:
        return []
    for_photos = ('has_aligned', 'only_center_face', 'draw_box', 'evidence_map', 'face_upsample', 'identity_weights')
    if given := [f'--{name}' for name in for_photos if getattr(args, name)]:
        raise UsageError(f'{films[0].name} is a film: {", ".join(given)} is for photos; leave it out, or the film')
    load_av()
    photo = layout.photo(films[0])
    assert photo is not None  # not of aligned faces
    outs = [result_path(film, photo.parent, suffix=args.suffix) for film in films]
    there = [out for out in outs if out.exists()]
    if there and not (args.skip_existing or args.overwrite):
        raise UsageError(f'{there[0]}: is there already: --overwrite replaces, --skip_existing leaves it')
    return [pair for pair in zip(films, outs, strict=True) if not (args.skip_existing and pair[1] in there)]


def _restore_films(args: argparse.Namespace, restorer: 'DAEFRRestorer', films: list[tuple[Path, Path]]) -> int:
    from daefr_arch.commands.video import restore_films
    from daefr_arch.video.film_options import FilmOptions

    return restore_films(films, restorer, FilmOptions(weight=args.weight), overwrite=args.overwrite)


def _report(args: argparse.Namespace, layout: 'OutputLayout') -> Path:
    return args.report or layout.root / 'report.jsonl'


def _plan_photos(args: argparse.Namespace, found: 'list[PhotoSource]', layout: 'OutputLayout') -> 'list[PhotoSource]':
    """The photos that are to be restored."""
    from daefr_arch.restoration.output_plan import plan_outputs

    existing = 'overwrite' if args.overwrite else 'skip' if args.skip_existing else 'refuse'
    sources = plan_outputs(found, layout, report=_report(args, layout), existing=existing)
    if len(sources) < len(found):
        _logger.info('%d of %d photos have results already', len(found) - len(sources), len(found))
    return sources


def _restore_photos(
    args: argparse.Namespace,
    restorer: 'DAEFRRestorer',
    sources: 'list[PhotoSource]',
    layout: 'OutputLayout',
    *,
    total: int,
) -> int:
    """Restores the photos. total: with those that have results already, which count as done."""
    from daefr_arch.commands.exit_codes import FAILED, OK, PARTIAL
    from daefr_arch.errors import StorageError
    from daefr_arch.restoration.photo_folder import restore_photos

    try:
        result = restore_photos(
            restorer,
            sources,
            layout,
            report=_report(args, layout),
            only_center_face=args.only_center_face,
            weight=args.weight,
            draw_box=args.draw_box,
            max_pixels=args.max_pixels,
            progress=len(sources) > 1,
        )
    except StorageError as error:
        raise StorageError(f'{error}; {GO_ON}') from error
    counts = result.counts
    _logger.info(
        '%d restored, %d without a face, %d from damaged files, %d with faces that failed, %d failed: %s',
        counts['ok'],
        counts['no_face'],
        counts['damaged'],
        counts['partial'],
        counts['error'],
        layout.root,
    )
    if len(sources) > 1:
        _logger.info('%s', result.throughput())
    failed = counts['partial'] + counts['error']
    if not failed:
        return OK
    return FAILED if counts['error'] == total else PARTIAL
