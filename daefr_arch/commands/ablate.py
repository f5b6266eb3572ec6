"""`daefr ablate`: an ablation table of the paper, trained, measured and shown beside the paper's numbers."""

import argparse
import logging
from collections.abc import Sequence
from pathlib import Path

from daefr_arch.commands.arguments import add_ground_truth, add_output, count_or_none
from daefr_arch.commands.metric_arguments import add_metric_arguments, metric_settings
from daefr_arch.errors import UsageError

GO_ON = 'the same command goes on where it stopped'

_logger = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of the command."""
    parser.add_argument('--config', required=True, metavar='FILE', help='a table: options/ablation/table2.yml, ...')
    add_output(parser, 'called again, what is finished there is kept')
    parser.add_argument(
        *('-i', '--input', '--input_path', '--lq'),
        dest='input',
        metavar='PATH',
        help="folder of degraded faces, instead of the table's",
    )
    add_ground_truth(parser, 'folder of the same faces in high quality')
    parser.add_argument(
        '--checkpoint',
        nargs='+',
        default=[],
        metavar='STEM=FILE',
        help='finished networks instead of trainings, by the stem of the option file: table2_a=net_g.pth; of an '
        'association two, table6_l1=net_hq.pth,net_lq.pth',
    )
    parser.add_argument('--force_yml', nargs='+', default=[], metavar='KEY=VALUE', help='for all option files')
    parser.add_argument('--strips', type=count_or_none, metavar='N', help='strips of the first N faces only')
    add_metric_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Prints the table; returns the exit code: PARTIAL if a metric is missing."""
    from dataclasses import replace

    from daefr_arch import compat
    from daefr_arch.commands.exit_codes import OK, PARTIAL

    compat.apply()
    from daefr_arch.ablation.ablation import Ablation
    from daefr_arch.ablation.table_config import read_table_config
    from daefr_arch.evaluation.build import build_metrics
    from daefr_arch.evaluation.evaluator import Evaluator

    config = read_table_config(args.config)
    config = replace(config, lq=Path(args.input or config.lq), gt=Path(args.ground_truth or config.gt))
    checkpoints = parse_checkpoints(args.checkpoint)
    settings = metric_settings(args)
    metrics, missing = build_metrics(args.metrics or config.metrics, settings, skip_missing=args.skip_missing)
    table = Ablation(
        config,
        args.output,
        Evaluator(metrics, missing=missing),
        checkpoints=checkpoints,
        forced=args.force_yml,
        device=settings.device,
        strips=args.strips,
    ).run()
    _logger.info('%s', table.to_markdown())
    return PARTIAL if table.missing else OK


def parse_checkpoints(texts: Sequence[str]) -> dict[str, tuple[Path, ...]]:
    """Stem -> files, from `STEM=FILE[,FILE]`; raises UsageError for another form and a stem given twice."""
    checkpoints: dict[str, tuple[Path, ...]] = {}
    for text in texts:
        stem, _, files = text.partition('=')
        if not stem or not files:
            raise UsageError(f'--checkpoint: expected STEM=FILE, got {text!r}')
        if stem in checkpoints:
            raise UsageError(f'--checkpoint: {stem} is given twice')
        checkpoints[stem] = tuple(Path(file) for file in files.split(','))
    return checkpoints
