"""`daefr compare`: the same faces and films through several methods; a table, CSV, JSON and a page to look at."""

import argparse
import logging
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from daefr_arch import choices
from daefr_arch.commands.arguments import (
    add_detection_model,
    add_ground_truth,
    add_has_aligned,
    add_input,
    add_offline,
    add_output,
    count_or_none,
    share,
    upscale,
    whole_number,
    write_file,
)
from daefr_arch.commands.metric_arguments import add_metric_arguments, metric_settings

if TYPE_CHECKING:
    from daefr_arch.evaluation.build import MetricSettings
    from daefr_arch.metrics.face_embedding import FaceEmbedder

GO_ON = 'the same command goes on where it stopped'
# what results depend on, besides the methods and the images
SETTINGS = ('has_aligned', 'face_size', 'detection_model', 'fidelity', 'precision', 'device')

_logger = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of the command."""
    parser.add_argument(
        'methods',
        nargs='+',
        metavar='NAME=SPEC',
        help='SPEC: a name of the manifest (daefr-lite), a weight file of DAEFR, CodeFormer, GFPGAN or RestoreFormer, '
        'or a folder of results made elsewhere, which are paired with the faces, and films, by file name',
    )
    add_input(parser, 'image, film, folder or glob')
    add_output(parser, 'new, empty, or of an interrupted comparison, which goes on', default='comparison')
    add_ground_truth(parser, 'folder of the same images in high quality')
    add_has_aligned(parser)
    parser.add_argument(
        '--face_size',
        type=whole_number(choices.SMALLEST_FACE, choices.LARGEST_SIDE),
        default=choices.COMPARED_FACE,
        metavar='PIXELS',
        help='side of the faces that are compared',
    )
    add_detection_model(parser)
    parser.add_argument(
        *('-s', '--upscale'), type=upscale, default=1, metavar='SCALE', help='of the whole photos and films'
    )
    parser.add_argument(
        *('-w', '--fidelity_weight'),
        dest='fidelity',
        type=share,
        default=choices.FIDELITY,
        metavar='W',
        help="CodeFormer's fidelity",
    )
    parser.add_argument('--precision', choices=choices.PRECISIONS[1:], default='fp32', help='of all methods')
    parser.add_argument('--page_faces', type=count_or_none, default=100, metavar='N', help='faces on the page at most')
    parser.add_argument(
        '--page_seconds',
        type=count_or_none,
        default=20,
        metavar='N',
        help='seconds of each film on the page at most; 0 for no films',
    )
    add_offline(parser)
    add_metric_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Writes and prints the comparison; returns the exit code: PARTIAL if a metric is missing."""
    import daefr_arch
    from daefr_arch.commands.exit_codes import OK, PARTIAL

    daefr_arch.register()
    from daefr_arch.comparison.comparison import compare_methods
    from daefr_arch.comparison.face_set import read_face_set, write_face_set
    from daefr_arch.comparison.film_stills import write_stills
    from daefr_arch.comparison.films import compare_films
    from daefr_arch.comparison.method import check_methods, parse_methods
    from daefr_arch.comparison.page import render_page
    from daefr_arch.comparison.resumption import begin, check_folder, describe_files, describe_methods
    from daefr_arch.comparison.table import to_csv, to_json, to_text
    from daefr_arch.evaluation.build import WITH_GROUND_TRUTH, WITHOUT_GROUND_TRUTH, build_metrics
    from daefr_arch.evaluation.evaluator import Evaluator
    from daefr_arch.faces.detector import build_detector
    from daefr_arch.io.folder_lock import locked_folder
    from daefr_arch.io.image_listing import list_images
    from daefr_arch.video.recognition import list_photos_and_films

    root = args.output
    methods = parse_methods(args.methods)
    sources, films = list_photos_and_films(args.input)
    _check_films(args, films)
    truths = list_images(args.ground_truth) if args.ground_truth else None
    settings = {
        'methods': describe_methods(methods),
        'input': describe_files(sources),
        'films': [*describe_files(films), *[args.upscale for _ in films[:1]]],
        'ground_truth': describe_files(truths or []),
        **{name: getattr(args, name) for name in SETTINGS},
    }
    check_folder(root, settings)
    measured = metric_settings(args)
    names = args.metrics or (WITH_GROUND_TRUTH if args.ground_truth else WITHOUT_GROUND_TRUTH)
    metrics, missing = build_metrics(names, measured, skip_missing=args.skip_missing)
    detector = None
    if not args.has_aligned:
        detector = build_detector(args.detection_model, device=measured.device, offline=args.offline)
    check_methods(methods, sources, aligned=args.has_aligned, films=films, fidelity=args.fidelity, offline=args.offline)
    begin(root, settings)
    with locked_folder(root):
        faces = read_face_set(root)
        if faces is None:
            stills = [] if detector is None else write_stills(films, root, detector)
            faces = write_face_set(
                [*sources, *stills], root, truths=truths, detector=detector, face_size=args.face_size
            )
        comparison = compare_methods(
            methods,
            faces,
            Evaluator(metrics, missing=missing),
            fidelity=args.fidelity,
            device=measured.device,
            precision=args.precision,
            upscale=args.upscale,
            offline=args.offline,
        )
        if films and detector is not None:
            compared = compare_films(
                methods,
                films,
                root,
                detector=detector,
                embedder=_embedder_at_hand(measured),
                fidelity=args.fidelity,
                device=measured.device,
                precision=args.precision,
                upscale=args.upscale,
                offline=args.offline,
            )
            comparison = replace(comparison, films=compared)
        _logger.info('%s', to_text(comparison))
        page = render_page(comparison, max_faces=args.page_faces, film_seconds=args.page_seconds)
        write_file(root / 'compare.csv', to_csv(comparison))
        write_file(root / 'compare.html', page)
        write_file(root / 'compare.json', to_json(comparison))
    _logger.info('\nfaces%s side by side: %s', ' and films' if films else '', root / 'compare.html')
    return PARTIAL if comparison.missing else OK


def _check_films(args: argparse.Namespace, films: list[Path]) -> None:
    """What films cannot be compared with is told before any work."""
    from daefr_arch.errors import UsageError
    from daefr_arch.video.library import load_av

    if not films:
        return
    for name, why in (('has_aligned', 'its faces are found'), ('ground_truth', 'its frames have none')):
        if getattr(args, name):
            raise UsageError(f'{films[0].name} is a film, {why}: leave out --{name}, or the film')
    names = [film.stem for film in films]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise UsageError(f'several films have the same name but another extension: {", ".join(twice)}')
    load_av()


def _embedder_at_hand(settings: 'MetricSettings') -> 'FaceEmbedder | None':
    from daefr_arch.checkpoints import MissingWeightsError
    from daefr_arch.metrics.face_embedding import build_embedder

    try:
        return build_embedder(settings.identity_backend, device=settings.device)
    except MissingWeightsError as error:
        _logger.info('the identity jitter of films is not measured: %s', error)
        return None
