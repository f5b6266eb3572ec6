"""How a command lives with its process: signals end it soon and with one line, a closed pipe does not end it at all."""

import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, NoReturn, TextIO

from daefr_arch.commands.exit_codes import INTERRUPTED, TERMINATED

GRACE = 1.5  # seconds that work has to end after a signal; then it is left as it is
RESULTS = 'daefr_arch.commands'  # loggers below it tell what was asked for


class StoppedError(KeyboardInterrupt):
    """SIGINT or SIGTERM came. Not an Exception, as KeyboardInterrupt is none: nothing may go on after it."""

    def __init__(self, signum: int) -> None:
        super().__init__(signum)
        self.exit_code = TERMINATED if signum == signal.SIGTERM else INTERRUPTED


class Stopper:
    """Ends the process at SIGINT (Ctrl-C) and SIGTERM.

    While nothing has begun (`started` is False: imports), it leaves at once. Later StoppedError is raised in the main
    thread, so that what is open gets closed; a thread or an operation that takes longer than GRACE is not waited for,
    and a second signal leaves at once. `say` logs the last line, from the exit code.
    """

    def __init__(self, say: Callable[[int], None]) -> None:
        self.started = False
        self._say: Callable[[int], None] | None = say
        self._pid = os.getpid()
        self._leaving: threading.Timer | None = None

    @property
    def stopping(self) -> bool:
        """Whether a signal came."""
        return self._leaving is not None

    def handle(self, signum: int, frame: FrameType | None) -> None:
        """The signal handler."""
        del frame
        stopped = StoppedError(signum)
        if os.getpid() != self._pid:  # a worker process: its parent, which got the signal of the terminal too, ends it
            if signum == signal.SIGTERM:
                os._exit(stopped.exit_code)
            return
        if self.stopping or not self.started:
            self._leave(stopped.exit_code)
        self._leaving = threading.Timer(GRACE, self._leave, (stopped.exit_code,))
        self._leaving.daemon = True
        self._leaving.start()
        raise stopped

    def say(self, exit_code: int) -> None:
        """Logs the last line, once."""
        say, self._say = self._say, None
        if say is not None:
            say(exit_code)

    def _leave(self, exit_code: int) -> NoReturn:
        if 'daefr_arch.io.atomic_file' in sys.modules:
            sys.modules['daefr_arch.io.atomic_file'].remove_temporaries()
        self.say(exit_code)
        os._exit(exit_code)


@contextmanager
def stoppable(say: Callable[[int], None]) -> Iterator[Stopper]:
    """The signals end the process as Stopper does, within the context and, once one came, after it."""
    stopper = Stopper(say)
    if threading.current_thread() is not threading.main_thread():  # only that one may handle signals
        yield stopper
        return
    previous = {number: signal.signal(number, stopper.handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stopper
    finally:
        if not stopper.stopping:
            for number, handler in previous.items():
                signal.signal(number, handler)


class PipedStream:
    """A text stream whose reader may go away, as `head` does: what it does not read is dropped, the work goes on."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        try:
            return self._stream.write(text)
        except BrokenPipeError:
            self._drop()
            return len(text)

    def flush(self) -> None:
        try:
            self._stream.flush()
        except BrokenPipeError:
            self._drop()

    def _drop(self) -> None:
        """From now on everything goes nowhere, also what is still in the stream's buffer."""
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self._stream.fileno())
        os.close(nowhere)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextmanager
def piped_output() -> Iterator[None]:
    """Standard output and error are PipedStreams."""
    streams = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = map(PipedStream, streams)
    try:
        yield
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        sys.stdout, sys.stderr = streams


def configure_logging() -> None:
    """What commands were asked for goes to standard output; warnings, errors and everything else to standard error.

    Nothing is changed in a program that has set its logging up already.
    """
    root = logging.getLogger()
    if root.handlers:
        return
    root.setLevel(logging.INFO)
    for stream, is_result in ((sys.stderr, False), (sys.stdout, True)):
        handler = logging.StreamHandler(stream)
        handler.setFormatter(logging.Formatter('%(message)s'))
        handler.addFilter(_is_result if is_result else _is_no_result)
        root.addHandler(handler)


def _is_result(record: logging.LogRecord) -> bool:
    return record.levelno == logging.INFO and record.name.startswith(RESULTS)


def _is_no_result(record: logging.LogRecord) -> bool:
    return not _is_result(record)
