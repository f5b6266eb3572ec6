"""A JSON lines file that grows by whole lines, whether the disk fills up, a writer is killed, or others write too."""

import errno
import json
import logging
import os
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from daefr_arch.io.atomic_file import make_folder, output_error
from daefr_arch.io.file_lock import lock_file, unlock_file

_BLOCK = 1 << 16

_logger = logging.getLogger(__name__)


def read_json_lines(path: str | Path) -> Iterator[dict[str, Any]]:
    """The objects of the file, in its order; none where it is not there, or is a pipe or device.

    The beginning of a line at the end of the file, which a killed writer left, is no line. Other lines that hold no
    object are left out with a warning.

    Raises:
        OSError: the file cannot be read.
    """
    if not Path(path).is_file():
        return
    with Path(path).open('rb') as file:
        for number, data in enumerate(file, start=1):
            line = _parsed(data)
            if line is not None:
                yield line
            elif data.endswith(b'\n'):
                _logger.warning('%s: line %d is no JSON object and is left out', path, number)


class JsonLinesWriter:
    """Appends JSON objects, a line each, to `path`; a context manager for any number of threads and processes.

    A line is one write at the end of the file, under the file's lock. What the file holds is kept, but for a part of a
    line that a killed writer left at its end.

    Raises:
        OutputError: the file cannot be opened or a line cannot be written; no part of that line is left.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._threads = threading.RLock()
        self._depth = 0
        make_folder(path.parent)
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
        except OSError as error:
            raise self._error(error) from error

    def write(self, line: dict[str, Any]) -> None:
        """Appends one line."""
        text = json.dumps(line, ensure_ascii=False) + '\n'
        data = text.encode(errors='surrogateescape')  # names need not be UTF-8
        with self.locked():
            try:
                self._append(data)
            except OSError as error:
                raise self._error(error) from error

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Inside, nobody else writes lines: for what must happen together with one."""
        with self._threads:
            if self._depth == 0:
                lock_file(self._file)
            self._depth += 1
            try:
                yield
            finally:
                self._depth -= 1
                if self._depth == 0:
                    unlock_file(self._file)

    def _append(self, data: bytes) -> None:
        is_file = stat.S_ISREG(os.fstat(self._file).st_mode)  # a pipe or device can be neither read nor cut
        if is_file:
            data = self._end_last_line() + data
        start = os.fstat(self._file).st_size
        try:
            if os.write(self._file, data) != len(data):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError:
            if is_file:
                with suppress(OSError):
                    os.ftruncate(self._file, start)
            raise

    def _end_last_line(self) -> bytes:
        """Cuts off what is no whole line at the end; returns the line break that a whole one lacks there."""
        size = os.fstat(self._file).st_size
        tail, start = b'', size
        while start and b'\n' not in tail:
            block = min(_BLOCK, start)
            start -= block
            tail = os.pread(self._file, block, start) + tail
        last = tail[tail.rfind(b'\n') + 1 :]
        if not last:
            return b''
        if _parsed(last) is not None:
            return b'\n'
        os.ftruncate(self._file, size - len(last))
        return b''

    def _error(self, error: OSError) -> OSError:
        return output_error(self._path, error, 'the report cannot be written')

    def __enter__(self) -> 'JsonLinesWriter':
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._file)


def _parsed(data: bytes) -> dict[str, Any] | None:
    """The object of a line; None where it holds none."""
    try:
        line = json.loads(data.decode(errors='surrogateescape'))
    except ValueError:
        return None
    return line if isinstance(line, dict) else None
