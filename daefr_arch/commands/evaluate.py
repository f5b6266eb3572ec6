"""`daefr evaluate`: measures a folder of results."""

import argparse
import logging

from daefr_arch.commands.arguments import add_ground_truth, add_input, output_file, refuse_same_file, write_file
from daefr_arch.commands.metric_arguments import add_metric_arguments, metric_settings

_logger = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of the command."""
    add_input(parser, 'folder of results; `name_00.png` of a restored face is paired with `name`', positional=True)
    add_ground_truth(parser, 'folder of the same faces in high quality')
    add_metric_arguments(parser)
    parser.add_argument('--csv', type=output_file, metavar='FILE', help='also write the numbers of every image there')
    parser.add_argument('--json', type=output_file, metavar='FILE', help='also write everything there')
    parser.add_argument('--summary', action='store_true', help='print the means only')


def run(args: argparse.Namespace) -> int:
    """Prints the report; returns the exit code: PARTIAL if a metric is missing."""
    from daefr_arch import compat
    from daefr_arch.commands.exit_codes import OK, PARTIAL

    compat.apply()
    from daefr_arch.evaluation.build import WITH_GROUND_TRUTH, WITHOUT_GROUND_TRUTH, build_metrics
    from daefr_arch.evaluation.evaluator import Evaluator, list_pairs

    refuse_same_file({'--csv': args.csv, '--json': args.json})
    list_pairs(args.input, args.ground_truth)  # what does not pair is told before weights are loaded
    names = args.metrics or (WITH_GROUND_TRUTH if args.ground_truth else WITHOUT_GROUND_TRUTH)
    metrics, missing = build_metrics(names, metric_settings(args), skip_missing=args.skip_missing)
    report = Evaluator(metrics, missing=missing).run(args.input, args.ground_truth, progress=True)
    _logger.info('%s', report.to_text(per_image=not args.summary))
    for path, content in ((args.csv, report.to_csv()), (args.json, report.to_json())):
        if path:
            write_file(path, content)
    return PARTIAL if report.missing else OK
