"""How a command lives with its process: signals end it soon and with one line, a closed pipe does not end it at all."""

import logging
import multiprocessing
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from types import FrameType
from typing import Any, NoReturn, TextIO

from daefr_arch.commands.exit_codes import INTERRUPTED, TERMINATED

GRACE = 1.0  # seconds that work has to end after a signal; then it is left as it is
SIGNALS = (signal.SIGINT, signal.SIGTERM)
RESULTS = 'daefr_arch.commands'  # loggers below it tell what was asked for


class StoppedError(KeyboardInterrupt):
    """A signal of SIGNALS came. Not an Exception, as KeyboardInterrupt is none: nothing may go on after it."""

    def __init__(self, signum: int) -> None:
        super().__init__(signum)
        self.exit_code = _exit_code(signum)


class Stopper:
    """Ends the process at SIGINT (Ctrl-C) and SIGTERM.

    While nothing has begun (`started` is False: imports), it leaves at once. Later StoppedError is raised in the main
    thread, so that what is open gets closed; a thread or an operation that takes longer than GRACE is not waited for,
    and a second signal leaves at once. `say` logs the last line, from the exit code.
    """

    def __init__(self, say: Callable[[int], None]) -> None:
        self.started = False
        self.stopping = False
        self._say: Callable[[int], None] | None = say
        self._pid = os.getpid()
        self._leaving = threading.Lock()  # never released: two threads may want to leave, and one has a line to say

    def handle(self, signum: int, frame: FrameType | None) -> None:
        """The signal handler; Python calls it once the operation that the main thread is in has ended."""
        del frame
        if os.getpid() != self._pid:  # a worker process: its parent, which got the signal of the terminal too, ends it
            if signum == signal.SIGTERM:
                os._exit(_exit_code(signum))
            return
        if self.stopping or not self.started:
            self._leave(signum)
        self.stopping = True
        raise StoppedError(signum)

    def watch(self, wakeup: socket.socket) -> None:
        """Runs in a thread beside the work, and leaves GRACE after a signal, whose number the system writes here."""
        with wakeup:
            for number in iter(lambda: wakeup.recv(1), b''):
                if number[0] in SIGNALS:
                    time.sleep(GRACE if self.started else 0)
                    self._leave(number[0])

    def say(self, exit_code: int) -> None:
        """Logs the last line, once."""
        say, self._say = self._say, None
        if say is not None:
            say(exit_code)

    def _leave(self, signum: int) -> NoReturn:
        self._leaving.acquire(timeout=GRACE)  # the other thread may wait for what this one holds: not for ever
        for worker in multiprocessing.active_children():
            worker.terminate()
        if 'daefr_arch.io.atomic_file' in sys.modules:
            sys.modules['daefr_arch.io.atomic_file'].remove_temporaries()
        self.say(_exit_code(signum))
        os._exit(_exit_code(signum))


@contextmanager
def stoppable(say: Callable[[int], None]) -> Iterator[Stopper]:
    """The signals end the process as Stopper does, within the context and, once one came, after it."""
    stopper = Stopper(say)
    if threading.current_thread() is not threading.main_thread():  # only that one may handle signals
        yield stopper
        return
    wakeup, written = socket.socketpair()
    written.setblocking(False)
    threading.Thread(target=stopper.watch, args=(wakeup,), daemon=True).start()
    os.register_at_fork(after_in_child=lambda: signal.set_wakeup_fd(-1))  # else a worker's signals would end its parent
    previous = {number: signal.signal(number, stopper.handle) for number in SIGNALS}
    previous_wakeup = signal.set_wakeup_fd(written.fileno(), warn_on_full_buffer=False)
    try:
        yield stopper
    finally:
        if not stopper.stopping:
            signal.set_wakeup_fd(previous_wakeup)
            for number, handler in previous.items():
                signal.signal(number, handler)
            written.close()


def _exit_code(signum: int) -> int:
    return TERMINATED if signum == signal.SIGTERM else INTERRUPTED


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
    out, error = PipedStream(sys.stdout), PipedStream(sys.stderr)
    with redirect_stdout(out), redirect_stderr(error):
        try:
            yield
        finally:
            out.flush()
            error.flush()


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
