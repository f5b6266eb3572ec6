"""`daefr evaluate`: measures a folder of results."""

import argparse
import logging

from daefr_arch.commands.metric_arguments import add_metric_arguments, metric_settings

_logger = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of the command."""
    parser.add_argument('results', help='folder of results; `name_00.png` of a restored face is paired with `name`')
    parser.add_argument('-g', '--ground-truth', '--ground_truth', help='folder of the same faces in high quality')
    add_metric_arguments(parser)
    parser.add_argument('--csv', help='also write the numbers of every image there')
    parser.add_argument('--json', help='also write everything there')
    parser.add_argument('--summary', action='store_true', help='print the means only')


def run(args: argparse.Namespace) -> int:
    """Prints the report; returns the exit code: PARTIAL if a metric is missing."""
    from daefr_arch import compat
    from daefr_arch.commands.exit_codes import OK, PARTIAL

    compat.apply()
    from daefr_arch.evaluation.build import WITH_GROUND_TRUTH, WITHOUT_GROUND_TRUTH, build_metrics
    from daefr_arch.evaluation.evaluator import Evaluator
    from daefr_arch.io.atomic_file import write_bytes

    names = args.metrics or (WITH_GROUND_TRUTH if args.ground_truth else WITHOUT_GROUND_TRUTH)
    metrics, missing = build_metrics(names, metric_settings(args), skip_missing=args.skip_missing)
    report = Evaluator(metrics, missing=missing).run(args.results, args.ground_truth, progress=True)
    for path, content in ((args.csv, report.to_csv()), (args.json, report.to_json())):
        if path:
            write_bytes(path, content.encode())
    _logger.info('%s', report.to_text(per_image=not args.summary))
    return PARTIAL if report.missing else OK
