"""Cost as work grows: faces a second by batch, memory by the photo's size, images a second by worker processes.

The rows go to the table, all of them together to docs/images/scaling.png.
"""

import os
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Sequence
from pathlib import Path

import cv2
import matplotlib.pyplot as plt
import numpy as np
import torch
from torch.utils.data import DataLoader

from daefr_arch.checkpoints import load_network
from daefr_arch.data.degradation_dataset import DAEFRDegradationDataset
from daefr_arch.data.draw_sampler import DrawSampler
from daefr_arch.runtime.face_network import FaceNetwork
from tests.benchmarks.row import Row, alternate
from tests.faces.photos import astronaut

PLOT = Path(__file__).parents[2] / 'docs/images/scaling.png'
BATCHES = (1, 2, 4, 8, 16, 32, 64)
MEGAPIXELS = (1, 4, 16, 50, 100)
WORKERS = (1, 2, 4, 8)
IMAGES = 96  # that the workers degrade, each several times
DRAWS_AN_IMAGE = 5
RESTORE = """
import re, sys
from pathlib import Path
from daefr_arch.commands.cli import main
code = main(sys.argv[1:])
print(re.search(r'VmHWM:\\s+(\\d+) kB', Path('/proc/self/status').read_text())[1])
sys.exit(code)
"""


def scaling_rows() -> list[Row]:
    """Measures all three, draws the plot."""
    batches = {batch: _face_seconds(batch) for batch in BATCHES}
    memory = {size: _memory_mib(size) for size in MEGAPIXELS}
    workers = {count: _image_seconds(count) for count in WORKERS}
    _draw(batches, memory, workers)
    peak = 'peak (baseline: the decoded photo)'
    return [
        *(Row(f'default model a face, {_device()}, batches of {batch}', s) for batch, s in batches.items()),
        *(
            Row(
                f'`daefr restore -s 1` of {size} megapixels, {peak}',
                [m],
                [photo],
                unit='MiB',
            )
            for size, (m, photo) in memory.items()
        ),
        *(
            Row(f'degradation dataset an image of 512 px, {count} workers on {os.cpu_count()} cores', [s])
            for count, s in workers.items()
        ),
    ]


def _face_seconds(batch: int) -> list[float]:
    network = FaceNetwork(load_network(offline=True), batch_size=batch)
    face = astronaut()[0:256, 100:356]
    (seconds,) = alternate([lambda: network.restore([face] * batch)], 2)
    return [value / batch for value in seconds]


def _memory_mib(megapixels: int) -> tuple[float, float]:
    """Peak resident memory of restoring a photo of this size with one face, and the bytes of its pixels."""
    side = round((megapixels * 1e6) ** 0.5)
    with tempfile.TemporaryDirectory() as folder:
        photo = np.full((side, side, 3), 90, np.uint8)
        photo[:512, :512] = astronaut()
        path = Path(folder) / 'photo.jpg'
        cv2.imwrite(str(path), photo)
        size = photo.nbytes
        del photo
        command = ['restore', '-i', str(path), '-o', f'{folder}/results', '-s', '1', '--offline']
        # the child tells its own peak: what the parent is told of it includes the parent's size before the fork
        result = subprocess.run([sys.executable, '-c', RESTORE, *command], check=True, capture_output=True, text=True)
    return int(result.stdout.split()[-1]) / 2**10, size / 2**20


def _image_seconds(workers: int) -> float:
    """Seconds an image of the training loader, the start of its workers included."""
    with tempfile.TemporaryDirectory() as folder:
        for index in range(IMAGES):
            cv2.imwrite(f'{folder}/{index}.png', np.roll(astronaut(), index, axis=1))
        opt = {'name': 'scaling', 'type': DAEFRDegradationDataset.__name__, 'phase': 'train', 'dataroot_gt': folder}
        dataset = DAEFRDegradationDataset({**opt, 'gt_size': 512})
        sampler = DrawSampler(dataset, 1, 0, DRAWS_AN_IMAGE)
        with warnings.catch_warnings():
            warnings.filterwarnings('ignore', message='This DataLoader will create')  # more workers than cores
            loader = DataLoader(dataset, batch_size=4, sampler=sampler, num_workers=workers)
            start = time.perf_counter()
            images = sum(len(batch['lq']) for batch in loader)
        return (time.perf_counter() - start) / images


def _draw(batches: dict[int, list[float]], memory: dict[int, tuple[float, float]], workers: dict[int, float]) -> None:
    figure, axes = plt.subplots(1, 3, figsize=(14, 4))
    _panel(axes[0], list(batches), [1 / np.median(s) for s in batches.values()], 'faces a batch', 'faces/s')
    peaks, photos = zip(*memory.values(), strict=True)
    _panel(axes[1], list(memory), peaks, 'megapixels', 'MiB', label='peak')
    _panel(axes[1], list(memory), photos, 'megapixels', 'MiB', label='the decoded photo')
    axes[1].legend()
    _panel(axes[2], list(workers), [1 / s for s in workers.values()], 'worker processes', 'degraded images/s')
    figure.suptitle(
        f'{"GPU" if torch.cuda.is_available() else f"CPU, {os.cpu_count()} cores"}, PyTorch {torch.__version__}'
    )
    figure.tight_layout()
    figure.savefig(PLOT, dpi=90)
    plt.close(figure)


def _device() -> str:
    return torch.cuda.get_device_name() if torch.cuda.is_available() else f'CPU, {os.cpu_count()} cores'


def _panel(
    axis: plt.Axes, x: Sequence[float], y: Sequence[float], x_label: str, y_label: str, label: str | None = None
) -> None:
    axis.plot(x, y, marker='o', label=label)
    axis.set(xlabel=x_label, ylabel=y_label, ylim=(0, None))
    axis.grid(alpha=0.3)
