"""Faces from files, in batches; files that cannot be read are left out."""

import logging
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from daefr_arch.errors import InputError
from daefr_arch.io.image_file import read_image
from daefr_arch.io.photo import as_uint8

_logger = logging.getLogger(__name__)

Files = tuple[Path, ...]


def face_batches(
    items: Iterable[Files], batch_size: int, failed: dict[str, str]
) -> Iterator[list[tuple[Files, list[np.ndarray]]]]:
    """Items of one or several files with their square images, BGR uint8, `batch_size` items at a time.

    Where a file cannot be read or is not square, the item's first file goes to `failed` with the reason; it is logged.

    Raises InputError, at the end, where no item could be read.
    """
    batch = []
    done = False
    for files in items:
        try:
            batch.append((files, [_read_face(file) for file in files]))
        except InputError as error:
            failed[str(files[0])] = str(error)
            _logger.error('left out: %s', error)
        if len(batch) == batch_size:
            yield batch
            batch, done = [], True
    if batch:
        yield batch
    elif not done:
        raise InputError(f'none of the {len(failed)} images can be read, as {next(iter(failed.values()))}')


def _read_face(file: Path) -> np.ndarray:
    face = as_uint8(read_image(file, whole=True).pixels)
    height, width = face.shape[:2]
    if height != width:
        raise InputError(f'{file}: expected a square aligned face, got {width}x{height} pixels')
    return face
