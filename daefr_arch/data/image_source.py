"""Encoded images of a folder or a BasicSR LMDB, by number, read through BasicSR's file clients."""

import functools
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from basicsr.utils import FileClient

from daefr_arch.errors import InputError
from daefr_arch.io.image_listing import list_images
from daefr_arch.options.checks import check_keys

META_INFO = 'meta_info.txt'


class ImageSource:
    """Names and bytes of a set of images. It can be sent to another process.

    Attributes:
        names: paths of the files, or keys of the LMDB.
    """

    def __init__(self, names: Sequence[str], *, lmdb_path: str | None = None) -> None:
        self.names = names
        self.lmdb_path = lmdb_path

    def __len__(self) -> int:
        return len(self.names)

    def read(self, index: int) -> bytes | None:
        """The encoded image; None if the LMDB has no such key.

        Raises:
            InputError: the file cannot be read.
        """
        name = self.names[index]
        try:
            return _file_client(self.lmdb_path, os.getpid()).get(name)
        except OSError as error:
            raise InputError(f'{name}: cannot be read: {error.strerror}') from error


def open_source(dataroot: str, io_backend: dict[str, Any], *, where: str) -> ImageSource:
    """The images of BasicSR's options `dataroot_gt` and `io_backend`; `where` begins the messages of errors.

    Raises:
        InputError: another backend than disk and lmdb, no images, or an LMDB without meta_info.txt.
    """
    check_keys(io_backend, ('type',), where=f'{where}: io_backend')
    backend = io_backend.get('type', 'disk')
    if backend == 'disk':
        return ImageSource([str(path) for path in list_images(dataroot, recursive=True)])
    if backend == 'lmdb':
        return ImageSource(read_keys(dataroot), lmdb_path=str(dataroot))
    raise InputError(f'{where}: io_backend.type: expected disk or lmdb, got {backend!r}')


def read_keys(lmdb_path: str | Path) -> list[str]:
    """The keys of a BasicSR LMDB, from the lines `KEY.png (h,w,c) level` of its meta_info.txt.

    Raises:
        InputError: the file is missing or empty.
    """
    meta = Path(lmdb_path) / META_INFO
    try:
        lines = meta.read_text(encoding='utf-8').splitlines()
    except OSError as error:
        raise InputError(f'{meta}: cannot be read ({error.strerror}); `daefr make-lmdb` makes it') from error
    keys = [line.rsplit(' (', 1)[0].rsplit('.', 1)[0] for line in lines if line.strip()]
    if not keys:
        raise InputError(f'{meta}: lists no images')
    return keys


@functools.lru_cache(maxsize=16)
def _file_client(lmdb_path: str | None, process: int) -> FileClient:
    """One client a process (an LMDB must not be used across a fork) and a path (LMDB refuses to open one twice)."""
    if lmdb_path is None:
        return FileClient('disk')
    return FileClient('lmdb', db_paths=lmdb_path)
