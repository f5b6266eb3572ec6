"""Who may ask: checks of Host, Origin and token before anything else, and headers that keep the page to itself."""

import hmac
import ipaddress
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOOPBACK = ('127.0.0.1', 'localhost', '::1')
HEADERS = {
    'content-security-policy': "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'",
    'cross-origin-opener-policy': 'same-origin',
    'cross-origin-resource-policy': 'same-origin',
    'referrer-policy': 'same-origin',
    'x-content-type-options': 'nosniff',
    'x-frame-options': 'DENY',
    'cache-control': 'no-store',
}


def allowed_hosts(host: str) -> frozenset[str]:
    """Names that this server may be asked by, besides addresses in figures: those of `host`, which it listens at."""
    names = {*LOOPBACK, host.lower()}
    if not is_loopback(host):
        names |= {socket.gethostname().lower(), socket.getfqdn().lower()}
    return frozenset(names)


def is_loopback(host: str) -> bool:
    """Whether only programs on this machine reach the address."""
    return host.lower() == 'localhost' or (_is_address(host) and ipaddress.ip_address(host).is_loopback)


@dataclass(frozen=True)
class Guard:
    """ASGI middleware: lets through what comes from the page or from a program that knows the token.

    The token is the first part of the path, so that it is in the address that the page is opened at and in nothing
    that the page must keep; programs may send `Authorization: Bearer TOKEN` instead.

    Args:
        app: what is asked behind the guard, at paths without the token.
        token: of the server.
        hosts: of `allowed_hosts`. Another name in `Host` is one that was made to lead here (DNS rebinding).
        any_address: also `Host`s that are addresses in figures, for servers that listen beyond this machine.
    """

    app: 'ASGIApp'
    token: str
    hosts: frozenset[str]
    any_address: bool

    async def __call__(self, scope: 'Scope', receive: 'Receive', send: 'Send') -> None:
        """The checks, then the app."""
        if scope['type'] != 'http':
            await self.app(scope, receive, send)
            return

        async def send_with_headers(message: 'Message') -> None:
            if message['type'] == 'http.response.start':
                given = {name.lower() for name, _ in message['headers']}
                extra = [(name.encode(), value.encode()) for name, value in HEADERS.items()]
                message['headers'] = [*message['headers'], *(item for item in extra if item[0] not in given)]
            await send(message)

        headers = {name.decode('latin-1').lower(): value.decode('latin-1') for name, value in scope['headers']}
        refusal = self._refusal(headers)
        path, knows_token = self._without_token(scope['path'], headers.get('authorization', ''))
        if refusal is None and knows_token and not path:
            await _redirect(f'/{self.token}/')(scope, receive, send_with_headers)
            return
        if refusal is None and not knows_token:
            refusal = 401, 'Open the address that the command printed: it ends with the key to this page.'
        if refusal is not None:
            await _refuse(*refusal)(scope, receive, send_with_headers)
            return
        await self.app({**scope, 'path': path, 'raw_path': path.encode()}, receive, send_with_headers)

    def _refusal(self, headers: dict[str, str]) -> tuple[int, str] | None:
        host = _host_name(headers.get('host', ''))
        if not (host in self.hosts or (self.any_address and _is_address(host))):
            return 421, 'This server is not the one that this name stands for.'
        origin = headers.get('origin')
        if origin is not None and urlsplit(origin).netloc.lower() != headers['host'].lower():
            return 403, 'Another page may not use this server.'
        if headers.get('sec-fetch-site') == 'cross-site' and headers.get('sec-fetch-mode') != 'navigate':
            return 403, 'Another page may not use this server.'
        return None

    def _without_token(self, path: str, authorization: str) -> tuple[str, bool]:
        """The path behind the token, '' where nothing follows it, and whether the token was there."""
        scheme, _, value = authorization.partition(' ')
        if scheme.lower() == 'bearer' and _is_equal(value.strip(), self.token):
            return path, True
        first, slash, rest = path.removeprefix('/').partition('/')
        return slash + rest, _is_equal(first, self.token)


def _is_equal(text: str, token: str) -> bool:
    return hmac.compare_digest(text.encode('utf-8', 'surrogatepass'), token.encode())


def _host_name(header: str) -> str:
    """Of `name:port` and `[address]:port`; '' where it is neither."""
    try:
        return urlsplit(f'//{header}').hostname or ''
    except ValueError:
        return ''


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _refuse(status: int, words: str) -> 'ASGIApp':
    from starlette.responses import PlainTextResponse

    return PlainTextResponse(words + '\n', status)


def _redirect(path: str) -> 'ASGIApp':
    from starlette.responses import RedirectResponse

    return RedirectResponse(path)
