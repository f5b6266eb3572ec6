"""`daefr make-lmdb`: a BasicSR LMDB from a folder of images."""

import argparse
import logging

from daefr_arch.commands.arguments import add_input, add_output, count, side

GO_ON = 'the same command goes on where it stopped'

_logger = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of the command."""
    add_input(parser, 'folder of images, with subfolders; any file names', required=False)
    add_output(parser, 'the LMDB, NAME.lmdb; it must not exist')
    parser.add_argument('--size', type=side, metavar='PIXELS', help='resize square images to this side')
    parser.add_argument('--compress_level', type=int, choices=range(10), default=1, help='of PNG')
    parser.add_argument('--workers', type=count, default=2, metavar='N', help='threads that read and encode')
    parser.add_argument('--verify_only', action='store_true', help='read every record of the existing OUTPUT, and stop')


def run(args: argparse.Namespace) -> int:
    """Builds or verifies; returns the exit code: PARTIAL if some images could not be read."""
    from daefr_arch import compat
    from daefr_arch.commands.exit_codes import OK, PARTIAL
    from daefr_arch.errors import UsageError

    compat.apply()
    from daefr_arch.data.lmdb_builder import build_lmdb, verify_lmdb

    if args.verify_only:
        _logger.info('%s: all %d records are intact', args.output, verify_lmdb(args.output, progress=True))
        return OK
    if args.input is None:
        raise UsageError('-i/--input is missing: the folder of images')
    report = build_lmdb(
        args.input,
        args.output,
        size=args.size,
        compress_level=args.compress_level,
        workers=args.workers,
        progress=True,
    )
    for reason in report.failed.values():
        _logger.error('left out: %s', reason)
    _logger.info(
        '%s: %d images written, %d resumed, %d left out; every record was read back',
        *(args.output, report.written, report.resumed, len(report.failed)),
    )
    return PARTIAL if report.failed else OK
