"""Workers hand batches over in shared memory, of which containers have little: what to do where it is too little."""

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from daefr_arch.errors import TrainingError

SHARED_MEMORY = Path('/dev/shm')
# what PyTorch says: of a worker that could not allocate, and of one that the system killed as it wrote
_TOO_LITTLE = re.compile(r'shared memory|killed by signal: Bus error')


@contextmanager
def told_what_to_do() -> Iterator[None]:
    """Raises TrainingError with the remedies where shared memory runs out within."""
    try:
        yield
    except RuntimeError as error:
        if not _TOO_LITTLE.search(str(error)):
            raise
        size = f' ({shutil.disk_usage(SHARED_MEMORY).total >> 20} MiB)' if SHARED_MEMORY.is_dir() else ''
        raise TrainingError(
            f'{SHARED_MEMORY}{size} is too small for the batches of the workers: start the container with more '
            '(docker run --shm-size=8g, or --ipc=host), or set num_worker_per_gpu to less, 0 needs none'
        ) from error
