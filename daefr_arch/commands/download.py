"""`daefr download`: fetches and verifies weight files, so that later runs need no network."""

import argparse
import logging

logger = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('names', nargs='*', metavar='NAME', help='files to fetch; without a name, they are listed')
    parser.add_argument('--offline', action='store_true', help='only check what is at hand')


def run(args: argparse.Namespace) -> int:
    from daefr_arch import cli, downloads

    if not args.names:
        for name, entry in downloads.manifest().items():
            place = downloads.find(name) or 'not at hand'
            logger.info('%s: %s (%s). %s', name, entry.what, entry.licence, place)
    for name in args.names:
        logger.info('%s: %s', name, downloads.fetch(name, offline=args.offline))
    return cli.OK
