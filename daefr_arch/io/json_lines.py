"""A JSON lines file that grows by whole lines, also when the disk fills up."""

import errno
import json
import os
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from daefr_arch.errors import OutputError
from daefr_arch.io.atomic_file import make_folder


class JsonLinesWriter:
    """Writes a JSON object a line to `path`, each at once; a context manager. `append`: keep what the file holds.

    Raises:
        OutputError: the file cannot be opened or a line cannot be written; no part of that line is left.
    """

    def __init__(self, path: Path, *, append: bool = False) -> None:
        self._path = path
        make_folder(path.parent)
        try:
            self._file = path.open('ab' if append else 'wb', buffering=0)
        except OSError as error:
            raise OutputError(f'{path}: the report cannot be written: {error.strerror}') from error

    def write(self, line: dict[str, Any]) -> None:
        """Appends one line."""
        data = (json.dumps(line, ensure_ascii=False) + '\n').encode(errors='surrogateescape')  # names need not be UTF-8
        start = self._file.tell()
        try:
            if self._file.write(data) != len(data):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as error:
            with suppress(OSError):  # a pipe or device cannot be cut
                self._file.truncate(start)
            raise OutputError(f'{self._path}: the report cannot be written: {error.strerror}') from error

    def __enter__(self) -> 'JsonLinesWriter':
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
