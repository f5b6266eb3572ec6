"""Eq. 8 at 512x512 with the paper's ranges: `daefr_arch.data` beside `basicsr.data.degradations` called plainly."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from skimage.data import astronaut

from daefr_arch.data.degradation import DegradationParams, DegradationRanges, degrade, draw_params
from daefr_arch.data.degradation_batch import degrade_batch

SIZE = 512
IMAGES = 60


@dataclass(frozen=True)
class DegradationRow:
    """One line of the table: milliseconds an image, over images with their own parameters."""

    name: str
    mean_ms: float
    median_ms: float
    quartiles_ms: tuple[float, float]
    ratio: float  # mean of the plain version over this mean, same run


def degradation_rows() -> list[DegradationRow]:
    """Measures on one CPU core, and the batched version on the GPU where there is one, else on the same core."""
    threads = torch.get_num_threads(), cv2.getNumThreads()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    try:
        return _measure()
    finally:
        torch.set_num_threads(threads[0])
        cv2.setNumThreads(threads[1])


def _measure() -> list[DegradationRow]:
    face = cv2.resize(astronaut()[0:220, 120:340, ::-1], (SIZE, SIZE)).astype(np.float32) / 255
    params = [draw_params(DegradationRanges(), np.random.default_rng([0, i])) for i in range(IMAGES)]
    plain_times, times = [], []
    for p in params:  # side by side, so that both meet the same load of the machine
        plain_times.append(_milliseconds(lambda p=p: plain(face, p)))
        times.append(_milliseconds(lambda p=p: degrade(face, p)))
    reference = statistics.mean(plain_times)
    device = 'cuda' if torch.cuda.is_available() else 'cpu'
    return [
        _row('degradation, basicsr plainly, 1 core', plain_times, reference),
        _row('degradation, degrade(), 1 core', times, reference),
        _row(f'degradation, degrade_batch(), {device}', _batch_times(face, params, device), reference),
    ]


def plain(image: np.ndarray, params: DegradationParams) -> np.ndarray:
    """Eq. 8 as GFPGAN-style datasets write it."""
    # here, because daefr_arch must be imported before anything of basicsr
    from basicsr.data import degradations as basicsr_degradations

    kernel = basicsr_degradations.bivariate_Gaussian(
        *(params.kernel_size, params.sigma_x, params.sigma_y, params.rotation),
        isotropic=params.sigma_x == params.sigma_y,
    )
    low = cv2.filter2D(image, -1, kernel)
    small = int(SIZE // params.downsample)
    low = cv2.resize(low, (small, small), interpolation=cv2.INTER_LINEAR)
    low = basicsr_degradations.add_gaussian_noise(low, params.noise_sigma)
    low = basicsr_degradations.add_jpg_compression(low, params.jpeg_quality)
    return cv2.resize(low, (SIZE, SIZE), interpolation=cv2.INTER_LINEAR)


def _batch_times(face: np.ndarray, params: list[DegradationParams], device: str) -> list[float]:
    size = 32 if device == 'cuda' else 4
    images = torch.from_numpy(face[..., ::-1].transpose(2, 0, 1).copy()).expand(size, -1, -1, -1).to(device)

    def run(batch: list[DegradationParams]) -> None:
        degrade_batch(images, batch)
        if device == 'cuda':
            torch.cuda.synchronize()

    batches = [[params[(start + i) % IMAGES] for i in range(size)] for start in range(0, IMAGES, size)]
    run(batches[0])
    return [_milliseconds(lambda batch=batch: run(batch)) / size for batch in batches]


def _milliseconds(function: Callable[[], object]) -> float:
    start = time.perf_counter()
    function()
    return (time.perf_counter() - start) * 1e3


def _row(name: str, times: list[float], reference: float) -> DegradationRow:
    low, median, high = statistics.quantiles(times, n=4)
    return DegradationRow(name, statistics.mean(times), median, (low, high), reference / statistics.mean(times))
