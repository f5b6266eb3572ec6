"""`daefr download`: fetches and verifies weight files, so that later runs need no network."""

import argparse
import logging

from daefr_arch.commands.arguments import add_offline

_logger = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('names', nargs='*', metavar='NAME', help='files to fetch; without a name, they are listed')
    add_offline(parser)


def run(args: argparse.Namespace) -> int:
    from daefr_arch.checkpoints import fetch, find, manifest
    from daefr_arch.commands.exit_codes import OK

    if not args.names:
        for name, entry in manifest().items():
            place = find(name) or 'not at hand'
            _logger.info('%s: %s (%s). %s', name, entry.what, entry.licence, place)
    for name in args.names:
        _logger.info('%s: %s', name, fetch(name, offline=args.offline))
    return OK
