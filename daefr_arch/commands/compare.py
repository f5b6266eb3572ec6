"""`daefr compare`: the same aligned faces through several methods; a table, CSV, JSON and a page to look at."""

import argparse
import logging
from pathlib import Path

from daefr_arch.commands.metric_arguments import add_metric_arguments, metric_settings

_logger = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of the command."""
    parser.add_argument(
        'methods',
        nargs='+',
        metavar='NAME=SPEC',
        help='SPEC: a name of the manifest (daefr-lite), a weight file of DAEFR, CodeFormer, GFPGAN or RestoreFormer, '
        'or a folder of results made elsewhere, which are paired with the faces by file name',
    )
    parser.add_argument(
        '-i', '--input', '--input_path', dest='input', required=True, metavar='PATH', help='image, folder or glob'
    )
    parser.add_argument(
        '-o', '--output', '--output_path', dest='output', default='comparison', metavar='FOLDER', help='new or empty'
    )
    parser.add_argument('-g', '--ground-truth', '--ground_truth', help='folder of the same images in high quality')
    parser.add_argument(
        '--has_aligned', '--aligned', dest='has_aligned', action='store_true', help='inputs are cropped, aligned faces'
    )
    parser.add_argument('--face_size', type=int, default=512, help='side of the faces that are compared, in pixels')
    parser.add_argument('--detection_model', default='auto', help='face detector, one for all methods')
    parser.add_argument('-s', '--upscale', type=float, default=1, help='of the whole photos with pasted faces')
    parser.add_argument(
        '-w', '--fidelity_weight', dest='fidelity', type=float, default=0.5, metavar='W', help="CodeFormer's fidelity"
    )
    parser.add_argument('--precision', choices=('fp32', 'tf32', 'bf16', 'fp16'), default='fp32', help='of all methods')
    parser.add_argument('--page_faces', type=int, default=100, help='faces on the page at most')
    parser.add_argument('--offline', action='store_true', help='never download anything')
    add_metric_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Writes and prints the comparison; returns the exit code: PARTIAL if a metric is missing."""
    import daefr_arch
    from daefr_arch.commands.exit_codes import OK, PARTIAL

    daefr_arch.register()
    from daefr_arch.comparison.comparison import compare_methods
    from daefr_arch.comparison.face_set import write_face_set
    from daefr_arch.comparison.method import parse_methods
    from daefr_arch.comparison.page import render_page
    from daefr_arch.comparison.table import to_csv, to_json, to_text
    from daefr_arch.errors import UsageError
    from daefr_arch.evaluation.build import WITH_GROUND_TRUTH, WITHOUT_GROUND_TRUTH, build_metrics
    from daefr_arch.evaluation.evaluator import Evaluator
    from daefr_arch.faces.detector import build_detector
    from daefr_arch.io.atomic_file import write_bytes
    from daefr_arch.io.image_listing import list_images

    root = Path(args.output)
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        raise UsageError(f'output: expected a new or empty folder, {root} is not')
    methods = parse_methods(args.methods)
    if not 0 <= args.fidelity <= 1:
        raise UsageError(f'fidelity: expected a number between 0 and 1, got {args.fidelity}')
    if args.face_size < 16:
        raise UsageError(f'face_size: expected 16 pixels or more, got {args.face_size}')
    settings = metric_settings(args)
    names = args.metrics or (WITH_GROUND_TRUTH if args.ground_truth else WITHOUT_GROUND_TRUTH)
    metrics, missing = build_metrics(names, settings, skip_missing=args.skip_missing)
    detector = None
    if not args.has_aligned:
        detector = build_detector(args.detection_model, device=settings.device, offline=args.offline)
    faces = write_face_set(
        list_images(args.input),
        root,
        truths=list_images(args.ground_truth) if args.ground_truth else None,
        detector=detector,
        face_size=args.face_size,
    )
    comparison = compare_methods(
        methods,
        faces,
        Evaluator(metrics, missing=missing),
        fidelity=args.fidelity,
        device=settings.device,
        precision=args.precision,
        upscale=args.upscale,
        offline=args.offline,
    )
    for name, content in (
        ('compare.csv', to_csv(comparison)),
        ('compare.json', to_json(comparison)),
        ('compare.html', render_page(comparison, max_faces=args.page_faces)),
    ):
        write_bytes(root / name, content.encode())
    _logger.info('%s\n\nfaces side by side: %s', to_text(comparison), root / 'compare.html')
    return PARTIAL if comparison.missing else OK
