"""Trees of tiny photos, and restorers that other processes can build: a real one with a tiny network, and killers."""

import os
import signal
import time
from pathlib import Path

import cv2
import numpy as np
import torch

from daefr_arch.archs.daefr_arch import DAEFR
from daefr_arch.cluster.job import read_job
from daefr_arch.cluster.lease import read_lease
from daefr_arch.cluster.store import open_store
from daefr_arch.cluster.tables import ResultRow, read_results
from daefr_arch.cluster.verify import verify_job
from daefr_arch.faces.detector import DetectedFace
from daefr_arch.restoration.restorer import DAEFRRestorer
from tests.faces.photos import ASTRONAUT_LANDMARKS, astronaut, nothing_shown

KILLER = (1, 254, 3)  # BGR of the corner of a photo that ends the process that looks at it
NOT_UTF8 = os.fsdecode(b'caf\xe9')
CLEAN = {'missing': 0, 'duplicates': 0, 'temporaries': 0, 'lost': 0, 'strangers': 0}


class CornerDetector:
    """Finds the astronaut where the photo is hers; the process ends where a corner says so, or pauses at each photo."""

    def __init__(self, pause: float = 0.0) -> None:
        self.pause = pause

    def detect(self, img: np.ndarray) -> list[DetectedFace]:
        time.sleep(self.pause)
        if tuple(img[0, 0]) == KILLER:
            os.kill(os.getpid(), signal.SIGKILL)
        if img.shape[:2] != (128, 128):
            return []
        return [DetectedFace((45.0, 15.0, 68.0, 45.0), 0.99, ASTRONAUT_LANDMARKS / 4)]


def tiny_restorer(upscale: float = 1, seed: int = 0, pause: float = 0.0) -> DAEFRRestorer:
    """With a network of random weights; seconds of `pause` a photo."""
    torch.manual_seed(seed)
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    return DAEFRRestorer(
        DAEFR(resolution=32, ch=32, ch_mult=[1, 2], num_res_blocks=1, n_layers=1, dim_embd=64).eval(),
        upscale=upscale,
        device='cpu',
        detector=CornerDetector(pause),
        fusion=nothing_shown(),
        offline=True,
    )


def write_photo(path: Path, *, corner: tuple[int, int, int] | None = None, seed: int = 0) -> None:
    """8 x 8 pixels, PNG whatever the name says."""
    img = np.random.default_rng(seed).integers(0, 250, (8, 8, 3), np.uint8)
    if corner:
        img[0, 0] = corner
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cv2.imencode('.png', img)[1].tobytes())


def make_tree(root: Path, count: int) -> Path:
    """Photos of one base name in several folders, of all kinds of names, one broken, one with a face."""
    for number in range(count - 9):
        write_photo(root / f'{number % 7}' / 'deep' / f'photo{number // 7}.png', seed=number)
    for name in ('a.jpg', 'a.png', 'a.tif', 'a.tif.png', f'{NOT_UTF8}.png', f'{NOT_UTF8}/{NOT_UTF8}.jpg', '100%.png'):
        write_photo(root / 'names' / name)
    (root / 'names' / 'broken.png').write_bytes(b'\x89PNG\r\n')
    cv2.imwrite(str(root / 'names' / 'face.png'), cv2.resize(astronaut(), (128, 128), interpolation=cv2.INTER_AREA))
    return root


def rows_of(output: str | Path) -> list[ResultRow]:
    """All rows of a job that is done."""
    store = open_store(str(output))
    shards = range(read_job(store).shards)
    return [row for shard in shards for row in read_results(store.read(f'results/{shard:06d}.parquet'))]


def workers_of(output: str | Path) -> list[int]:
    """The processes that have a lease, and may have ended."""
    store = open_store(str(output))
    leases = [read_lease(store, int(name.removesuffix('.json'))) for name in store.children('leases')]
    return [int(words['process'].split('~')[2]) for words in leases if words]


def is_clean(output: str | Path) -> dict[str, int]:
    """What `verify` counts, to be compared with CLEAN."""
    found = verify_job(str(output))
    return {name: getattr(found, name) for name in CLEAN}
