"""What long and shared use costs: threads that share a restorer, memory over many photos, two runs in one folder."""

import resource
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np

from daefr_arch.io.json_lines import read_json_lines
from daefr_arch.restoration.output_layout import OutputLayout
from daefr_arch.restoration.photo_folder import restore_photos
from daefr_arch.restoration.restorer import DAEFRRestorer
from tests.benchmarks.row import Row
from tests.faces.photos import astronaut

THREADS, CALLS = 8, 16
MANY_PHOTOS = 200
PHOTOS_OF_A_RUN = 10


def runs_rows() -> list[Row]:
    """On the CPU, with the default model."""
    restorer = DAEFRRestorer(device='cpu', upscale=1, offline=True)
    return [_threads_row(restorer), *_memory_rows(restorer), _two_runs_row()]


def _portrait() -> np.ndarray:
    """A face that lacks something, so that the network has work."""
    return cv2.GaussianBlur(astronaut()[:240, 100:340], (0, 0), 2)


def _threads_row(restorer: DAEFRRestorer) -> Row:
    """Seconds of a photo when several threads call one restorer, beside one thread; results must be the same."""
    photo = _portrait()
    expected = restorer.enhance(photo)[2]

    def enhance(_: int) -> float:
        start = time.perf_counter()
        assert np.array_equal(restorer.enhance(photo)[2], expected)
        return time.perf_counter() - start

    alone = statistics.median(enhance(0) for _ in range(3))
    start = time.perf_counter()
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(enhance, range(CALLS)))
    seconds = (time.perf_counter() - start) / CALLS
    return Row(f'a photo, {THREADS} threads on one restorer, beside one thread', [seconds], [alone])


def _memory_rows(restorer: DAEFRRestorer) -> list[Row]:
    """Most memory after the first tenth of many photos, and how much more the rest took."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        sources = [Path(folder) / f'{index:03d}.png' for index in range(MANY_PHOTOS)]
        for source in sources:
            cv2.imwrite(str(source), _portrait())
        layout = OutputLayout(Path(folder) / 'results')
        for part, name in ((slice(0, MANY_PHOTOS // 10), 'first'), (slice(0, MANY_PHOTOS), 'all')):
            restore_photos(restorer, sources[part], layout, report=layout.root / 'report.jsonl')
            count = len(sources[part])
            rows.append(Row(f'peak memory, {name} {count} photos', [_peak_mib()], unit='MiB'))
    return rows


def _two_runs_row() -> Row:
    """Seconds of two runs of the command at once over one folder, beside one after the other; no line is missing."""
    with tempfile.TemporaryDirectory() as folder:
        photos = Path(folder) / 'photos'
        photos.mkdir()
        for index in range(PHOTOS_OF_A_RUN):
            cv2.imwrite(str(photos / f'{index:02d}.png'), _portrait())
        start = time.perf_counter()
        codes = [_restore(photos, Path(folder) / 'in turn').wait() for _ in range(2)]
        middle = time.perf_counter()
        codes += [run.wait() for run in [_restore(photos, Path(folder) / 'at once') for _ in range(2)]]
        end = time.perf_counter()
        assert codes == [0] * 4
        for output in ('in turn', 'at once'):
            lines = list(read_json_lines(Path(folder) / output / 'report.jsonl'))
            assert len(lines) == 2 * PHOTOS_OF_A_RUN
    name = f'two runs of {PHOTOS_OF_A_RUN} photos into one folder at once, beside one after the other'
    return Row(name, [end - middle], [middle - start])


def _restore(photos: Path, output: Path) -> subprocess.Popen:
    command = [sys.executable, '-m', 'daefr_cli', 'restore', '-i', str(photos), '-o', str(output), '-s', '1']
    return subprocess.Popen(
        [*command, '--overwrite', '--device', 'cpu', '--offline'], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


def _peak_mib() -> float:
    """Of this process (Linux)."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
