"""The server as a whole: socket, private folder, worker, and how all of it ends."""

import secrets
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from daefr_arch.choices import MAX_PIXELS
from daefr_arch.errors import UsageError
from daefr_arch.restoration.restorer import DAEFRRestorer
from daefr_arch.web.guard import Guard, allowed_hosts, is_loopback
from daefr_arch.web.job_book import JobBook
from daefr_arch.web.photo_steps import PhotoSteps
from daefr_arch.web.storage import private_folder, remove_folder
from daefr_arch.web.worker import Worker

HOST, PORT = '127.0.0.1', 7863
KEEP_MINUTES = 60.0
MAX_MEGABYTES = 200
MOST_WAITING = 64
CONNECTIONS = 200  # at once; beyond it the answer is 503
HEADER_SECONDS = 10  # that a connection is kept open for the next request
TICK_SECONDS = 1.0


@dataclass(frozen=True)
class ServerOptions:
    """How the server is reached, and what it takes.

    host: address to listen at. token: what the address has to end with; a random one if None. keep_minutes: after
    this long without a change a photo is deleted. max_megabytes, max_pixels: of a photo at most. most_waiting: photos
    that wait at most. api_only: without the page.
    """

    host: str = HOST
    token: str | None = None
    keep_minutes: float = KEEP_MINUTES
    max_megabytes: int = MAX_MEGABYTES
    max_pixels: int = MAX_PIXELS
    most_waiting: int = MOST_WAITING
    api_only: bool = False


def listen(host: str, port: int | None) -> socket.socket:
    """A socket that listens at the address; port None is PORT, or any free one where that is taken.

    Raises:
        UsageError: the address is no address of this machine, or the port is taken.
    """
    try:
        return _bound(host, PORT if port is None else port)
    except OSError as error:
        if port is None:
            with suppress(OSError):
                return _bound(host, 0)
        raise UsageError(
            f'cannot listen at {host}, port {PORT if port is None else port}: {error.strerror or error}; '
            'choose another --port or --host'
        ) from error


def _bound(host: str, port: int) -> socket.socket:
    family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(CONNECTIONS)
    except OSError:
        listening.close()
        raise
    return listening


@dataclass(frozen=True)
class RunningServer:
    """A server that answers.

    url: of the page, with the token. address: without it. token: for `Authorization: Bearer`. book: its photos.
    """

    url: str
    address: str
    token: str
    book: JobBook
    _worker: Worker

    def wait(self) -> None:
        """Deletes what has been kept long enough, until an exception comes: Ctrl-C. Raises RuntimeError if it broke."""
        while self._worker.is_alive():
            self._worker.join(TICK_SECONDS)
            self.book.remove_expired()
        raise RuntimeError('the thread that restores has ended; its error stands above')


@contextmanager
def running_server(
    restorer: DAEFRRestorer, listening: socket.socket, options: ServerOptions
) -> Iterator[RunningServer]:
    """The server while the context lasts; at its end every photo is deleted first.

    Args:
        restorer: restores the faces; its background upsampler, if any, is offered.
        listening: of `listen`; is closed at the end.
        options: see there.
    """
    token = options.token or secrets.token_urlsafe(16)
    with private_folder() as folder, listening:
        book = JobBook(folder, keep_seconds=60 * options.keep_minutes, most_waiting=options.most_waiting)
        worker = Worker(PhotoSteps(restorer, max_pixels=options.max_pixels))
        stop = _serve(
            _guarded(book, worker, options, token, has_upsampler=restorer.bg_upsampler is not None), listening
        )
        worker.start()
        address = _address(options.host, listening.getsockname()[1])
        try:
            yield RunningServer(f'{address}/{token}/', address, token, book, worker)
        finally:
            worker.end()
            remove_folder(folder)  # first: what follows may take longer than a process that was told to end has
            stop()


def _guarded(book: JobBook, worker: Worker, options: ServerOptions, token: str, *, has_upsampler: bool) -> Guard:
    from daefr_arch.web.app import WebApp

    app = WebApp(
        book,
        worker,
        max_bytes=options.max_megabytes * 1_000_000,
        max_pixels=options.max_pixels,
        has_page=not options.api_only,
        has_upsampler=has_upsampler,
    )
    return Guard(app.build(), token, allowed_hosts(options.host), any_address=not is_loopback(options.host))


def _serve(app: Guard, listening: socket.socket) -> Callable[[], None]:
    """Answers in a thread, for signals belong to the main one; returns what ends it."""
    import uvicorn

    config = uvicorn.Config(
        app,
        access_log=False,  # addresses hold the token
        log_config=None,
        log_level='warning',
        lifespan='off',
        ws='none',
        limit_concurrency=CONNECTIONS,
        timeout_keep_alive=HEADER_SECONDS,
        timeout_graceful_shutdown=1,
        server_header=False,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([listening],), name='daefr-web-server', daemon=True)
    thread.start()

    def stop() -> None:
        server.should_exit = True
        thread.join(timeout=TICK_SECONDS)

    return stop


def _address(host: str, port: int) -> str:
    """What to open: `http://name:port`; a server that listens everywhere is reached by this machine's name."""
    if host in ('0.0.0.0', '::', ''):
        host = socket.gethostname()
    return f'http://{f"[{host}]" if ":" in host else host}:{port}'
