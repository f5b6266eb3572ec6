"""`daefr demo`: restores two sample photos that come with the dependencies; needs no network and no input."""

import argparse
import logging
from pathlib import Path

_logger = logging.getLogger('daefr_arch')


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of the command."""
    parser.add_argument(
        '-o', '--output', default='demo', metavar='FOLDER', help='made if missing; results are replaced'
    )
    parser.add_argument('--device', default='auto', help='auto, cpu, cuda, cuda:1, mps')


def run(args: argparse.Namespace) -> int:
    """Restores the photos and draws the contact sheet; returns OK, or FAILED if a photo was not restored."""
    from daefr_arch import cli
    from daefr_arch.restoration.demo import CONTACT_SHEET, run_demo
    from daefr_arch.restoration.restorer import DAEFRRestorer

    restorer = DAEFRRestorer(upscale=1, device=args.device, offline=True)
    counts = run_demo(restorer, Path(args.output), progress=True)
    _logger.info('before and after: %s', Path(args.output) / CONTACT_SHEET)
    return cli.OK if counts['ok'] == counts.total() else cli.FAILED
