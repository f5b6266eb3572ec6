"""`daefr web`: a local page to drop photos on, for people who do not use a terminal, and an API for programs."""

import argparse
import logging
import os
import re
import sys
import webbrowser
from typing import TYPE_CHECKING

from daefr_arch import choices
from daefr_arch.commands.arguments import count, number, whole_number
from daefr_arch.commands.restorer_arguments import (
    add_background_arguments,
    add_detection_arguments,
    add_model_arguments,
    build_restorer,
)

if TYPE_CHECKING:
    from daefr_arch.web.server import RunningServer

_logger = logging.getLogger(__name__)

SHORTEST_TOKEN = 12


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of the command."""
    server = parser.add_argument_group('server')
    server.add_argument(
        '--host',
        default='127.0.0.1',
        help='address to listen at; another one than the default is reached by other machines, without encryption',
    )
    server.add_argument(
        '--port', type=whole_number(0, 65535), metavar='N', help='0: any free one; if not given, 7863 or a free one'
    )
    server.add_argument(
        '--token', type=token, help='what the address ends with, letters and digits; a random one if not given'
    )
    server.add_argument('--api_only', action='store_true', help='the API for other programs, without the page')
    server.add_argument('--no_browser', action='store_true', help='only print the address')
    limits = parser.add_argument_group('limits')
    limits.add_argument(
        '--keep', type=number(above=0), default=60, metavar='MINUTES', help='photos are deleted after this long'
    )
    limits.add_argument('--max_megabytes', type=count, default=200, metavar='N', help='larger files are refused')
    limits.add_argument(
        '--max_pixels',
        type=count,
        default=choices.MAX_PIXELS,
        metavar='N',
        help='so are larger photos (decompression bombs), and results four times larger',
    )
    limits.add_argument('--queue', type=count, default=64, metavar='N', help='photos that wait, at most')
    add_detection_arguments(parser.add_argument_group('faces'))
    add_background_arguments(parser.add_argument_group('background, where a photo asks for it'))
    add_model_arguments(parser.add_argument_group('model'))
    # what only `daefr restore` has, or each photo has for itself
    parser.set_defaults(upscale=choices.UPSCALE, face_upsample=False, identity_weights=None)


def token(text: str) -> str:
    """A type: a token that can stand in an address."""
    if not re.fullmatch(rf'[A-Za-z0-9_-]{{{SHORTEST_TOKEN},200}}', text):
        raise argparse.ArgumentTypeError(f'expected {SHORTEST_TOKEN} or more letters, digits, - and _, got {text!r}')
    return text


def run(args: argparse.Namespace) -> int:
    """Serves until Ctrl-C; returns OK."""
    from daefr_arch.commands.exit_codes import OK
    from daefr_arch.web.server import ServerOptions, listen, running_server

    _need_extra()
    options = ServerOptions(
        host=args.host,
        token=args.token,
        keep_minutes=args.keep,
        max_megabytes=args.max_megabytes,
        max_pixels=args.max_pixels,
        most_waiting=args.queue,
        api_only=args.api_only,
    )
    listening = listen(options.host, args.port)
    restorer = build_restorer(args)
    try:
        with running_server(restorer, listening, options) as server:
            _announce(server, api_only=args.api_only)
            if not (args.no_browser or args.api_only) and _has_screen():
                webbrowser.open(server.url)
            server.wait()
    except KeyboardInterrupt:  # how it is meant to end
        _logger.info('stopped; all photos are deleted')
    return OK


def _need_extra() -> None:
    from importlib.util import find_spec

    from daefr_arch.errors import UsageError

    missing = [name for name in ('starlette', 'uvicorn', 'python_multipart') if find_spec(name) is None]
    if missing:
        raise UsageError(f"{', '.join(missing)} not installed: pip install 'daefr_arch[web]'")


def _announce(server: 'RunningServer', *, api_only: bool) -> None:
    if api_only:
        _logger.info('API at %s/api, described at /api/openapi.json', server.address)
        _logger.info('send with each request: Authorization: Bearer %s', server.token)
    else:
        _logger.info('open in a browser: %s', server.url)
    _logger.info('photos stay on this machine and are deleted when this ends (Ctrl-C)')


def _has_screen() -> bool:
    """Whether a browser would have a window: else one in the terminal could open, and wait."""
    return sys.platform in ('darwin', 'win32') or bool(os.environ.get('DISPLAY') or os.environ.get('WAYLAND_DISPLAY'))
