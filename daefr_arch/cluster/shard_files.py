"""The results of a shard's photos on their way out: a file each, whole or not at all, and a row each."""

import logging
import os
import re
import shutil
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from daefr_arch.cluster.output_name import FACES, PHOTOS, output_name
from daefr_arch.cluster.settings import PhotoOptions
from daefr_arch.cluster.shard_source import ShardPhoto
from daefr_arch.cluster.store import Store, TakenOverError, is_local
from daefr_arch.cluster.tables import ResultRow
from daefr_arch.errors import OutputError, StorageError
from daefr_arch.io.image_encoding import encode
from daefr_arch.restoration.photo_job import PhotoJob

BROKEN = 70  # exit code of a worker that cannot go on
# after these a process computes nothing right any more, whatever the photo
_BROKEN_DEVICE = re.compile(r'CUDA error|CUDNN_STATUS_(?!NOT_SUPPORTED)|device-side assert|unspecified launch failure')

_logger = logging.getLogger(__name__)


class ShardFiles:
    """Writes the results of photos to a store, as `restore_jobs` hands them on.

    `full` is what stopped all writing, if anything did. `rows` are the photos that are done.

    Args:
        store: where the results go.
        options: which say how they are named.
        is_lost: whether another worker has taken over.
        quality: of .jpg and .webp, 1 to 100.
    """

    def __init__(self, store: Store, options: PhotoOptions, *, is_lost: Callable[[], bool], quality: int = 95) -> None:
        self._store = store
        self._options = options
        self._is_lost = is_lost
        self._quality = quality
        self._is_escaped = not is_local(store.address)
        self.full: StorageError | None = None
        self.rows: list[ResultRow] = []

    def write(self, pasted: 'Future[PhotoJob]', before: 'Future[Any] | None') -> dict[str, Any]:
        """Writes the result of a photo; returns its line of a report.

        Raises:
            StorageError: nothing more can be written. The photo is not to blame: the shard is not done.
        """
        del before  # rows are sorted in the end
        if self.full is not None:
            raise self.full
        job = pasted.result()
        if job.error is not None and _BROKEN_DEVICE.search(job.error):
            _logger.error('the device is broken for this process, another one takes over: %s', job.error)
            os._exit(BROKEN)
        try:
            return self._write(job)
        except OutputError as error:
            self.full = error if isinstance(error, StorageError) else StorageError(str(error))
            raise self.full from error

    def _write(self, job: PhotoJob) -> dict[str, Any]:
        photo = job.source
        assert isinstance(photo, ShardPhoto)
        folder = FACES if self._options.has_aligned else PHOTOS
        name = output_name(photo.relative, page=photo.page, extension=self._options.extension, escaped=self._is_escaped)
        output = f'{folder}/{name}'
        data = None
        with job.step('write'):
            if job.error is None and job.restored is not None:
                data, warnings = encode(job.restored, Path(name).suffix.lower(), quality=self._quality)
                job.warnings += warnings
        job.let_go()
        if data is not None:
            if self._is_lost():
                raise TakenOverError(f'{output}: another worker has taken over')
            self._store.write(output, data)
        line = job.line({'photo': [output]} if data is not None else {})
        self.rows.append(
            ResultRow(
                photo.relative,
                photo.page,
                photo.pages,
                line['status'],
                line['error'],
                line['error_class'],
                output if data is not None else None,
                None if data is None else len(data),
                line['faces'],
                line['warnings'],
                line['precision'],
                round(sum(line['seconds'].values()), 4),
            )
        )
        if photo.is_copy:
            shutil.rmtree(photo.path.parent, ignore_errors=True)
        return line
