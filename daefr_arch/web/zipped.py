"""Files as one ZIP archive, made while it is sent: neither memory nor disk holds it."""

import io
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePath

CHUNK = 1 << 20


class _Outlet(io.RawIOBase):
    """Collects what is written until it is taken."""

    def __init__(self) -> None:
        self._written = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]
        self._written += data
        return len(data)

    def take(self) -> bytes:
        """What was written since the last time."""
        taken, self._written = bytes(self._written), bytearray()
        return taken


def zipped(files: Iterable[tuple[Path, str]]) -> Iterator[bytes]:
    """The archive of (file, name in it), in pieces; photos are compressed already, so they are only stored.

    Of files with one name the later ones get a number; what is gone by now is left out.
    """
    outlet, taken = _Outlet(), set[str]()
    with zipfile.ZipFile(outlet, 'w', zipfile.ZIP_STORED) as archive:
        for path, name in files:
            try:
                source = path.open('rb')
            except OSError:
                continue
            with source, archive.open(_free_name(name, taken), 'w', force_zip64=True) as entry:
                while chunk := source.read(CHUNK):
                    entry.write(chunk)
                    yield outlet.take()
    yield outlet.take()


def _free_name(name: str, taken: set[str]) -> str:
    free, number = name, 1
    while free.lower() in taken:
        number += 1
        free = f'{PurePath(name).stem} ({number}){PurePath(name).suffix}'
    taken.add(free.lower())
    return free
