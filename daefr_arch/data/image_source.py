"""Encoded images of a folder or a BasicSR LMDB, by number, read through BasicSR's file clients."""

import functools
import os
from collections.abc import Sequence
from pathlib import Path

from basicsr.utils import FileClient

from daefr_arch.errors import InputError
from daefr_arch.io.image_listing import list_images
from daefr_arch.options.dataset import IOBackend

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


def open_source(dataroot: str, io_backend: IOBackend, *, meta_info_file: str | None = None) -> ImageSource:
    """The images of BasicSR's options `dataroot_gt`, `io_backend` and `meta_info_file`.

    Raises:
        InputError: no images, an LMDB without meta_info.txt, or a list that cannot be read.
    """
    if io_backend.type == 'lmdb':
        if meta_info_file is not None:
            raise InputError(f'meta_info_file: an LMDB has its own list, {META_INFO}; make one of these images')
        return ImageSource(read_names(Path(dataroot) / META_INFO, keys=True), lmdb_path=str(dataroot))
    if meta_info_file is not None:
        return ImageSource([str(Path(dataroot) / name) for name in read_names(meta_info_file)])
    return ImageSource([str(path) for path in list_images(dataroot, recursive=True)])


def read_names(meta_info_file: str | Path, *, keys: bool = False) -> list[str]:
    """The names in the lines `NAME.png (h,w,c) level` of one of BasicSR's lists; what follows the name may lack.

    `keys`: without the suffix, as they are in an LMDB.

    Raises:
        InputError: the file is missing or empty.
    """
    try:
        lines = Path(meta_info_file).read_text(encoding='utf-8').splitlines()
    except OSError as error:
        raise InputError(f'{meta_info_file}: cannot be read ({error.strerror}); `daefr make-lmdb` makes it') from error
    names = [line.rsplit(' (', 1)[0].strip() for line in lines if line.strip()]
    if not names:
        raise InputError(f'{meta_info_file}: lists no images')
    return [name.rsplit('.', 1)[0] for name in names] if keys else names


@functools.lru_cache(maxsize=16)
def _file_client(lmdb_path: str | None, process: int) -> FileClient:
    """One client a process (an LMDB must not be used across a fork) and a path (LMDB refuses to open one twice)."""
    if lmdb_path is None:
        return FileClient('disk')
    return FileClient('lmdb', db_paths=lmdb_path)
