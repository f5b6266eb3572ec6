"""Faces from files, in batches; files that cannot be read are left out."""

import logging
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from daefr_arch.errors import InputError
from daefr_arch.restoration.image_file import read_image
from daefr_arch.restoration.photo import as_uint8

_logger = logging.getLogger('daefr_arch')

Files = tuple[Path, ...]


def face_batches(
    items: Iterable[Files], batch_size: int, failed: dict[str, str]
) -> Iterator[list[tuple[Files, list[np.ndarray]]]]:
    """Items of one or several files with their images, BGR uint8, `batch_size` items at a time.

    Where a file cannot be read, the item's first file goes to `failed` with the reason, which is logged.

    Raises InputError, at the end, where no item could be read.
    """
    batch = []
    done = False
    for files in items:
        try:
            batch.append((files, [as_uint8(read_image(file).pixels) for file in files]))
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
