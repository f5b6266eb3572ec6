"""What restoring films costs: memory by their length, how well the steps overlap, and how often faces are looked for.

python -m tests.benchmarks.film_benchmark FILM OUT restores a film of discs and prints the peak memory in MiB.
"""

import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from daefr_arch.restoration.photo_work import PhotoWork
from daefr_arch.restoration.restorer import DAEFRRestorer
from daefr_arch.video.film_options import FilmOptions
from daefr_arch.video.restore_video import restore_video
from tests.benchmarks.film_clips import clips
from tests.benchmarks.film_table import write_clip
from tests.benchmarks.row import Row
from tests.video.films import disc_restorer, write_film

LENGTHS = (200, 2_000, 10_000)
FRAMES = 48
OVERLAP = 0.85  # of the frames a second that the slowest step alone allows
EVERY = (1, 2, 3, 5)


class _Recorder(DAEFRRestorer):
    """Keeps the crops that the network was given, by frame."""

    seen: list[list[np.ndarray]]

    def restore_faces(self, works: Sequence[PhotoWork], *, weight: float | None = None) -> None:
        self.seen += [list(work.crops) for work in works]
        super().restore_faces(works, weight=weight)


def film_rows() -> list[Row]:
    """On the CPU, with the default model; memory with faces that cost nothing."""
    return [*_memory_rows(), *_speed_rows()]


def _memory_rows() -> list[Row]:
    """Peak memory of a process that restores a film with a face in each frame."""
    peaks: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        for count in LENGTHS:
            film = write_film(Path(folder) / f'{count}.mkv', count, codec='ffv1')
            command = [sys.executable, '-m', 'tests.benchmarks.film_benchmark', str(film), f'{folder}/{count}-out.mkv']
            peaks.append(float(subprocess.run(command, check=True, capture_output=True, text=True).stdout))
    return [
        Row(f'peak memory, film of {count:,} frames', [peak], peaks[:1], at_most=1.1, relative=True, unit='MiB')
        for count, peak in zip(LENGTHS, peaks, strict=True)
    ]


def _speed_rows() -> list[Row]:
    """Seconds of a film beside its slowest step alone, with one thread for each step's own computing."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        restorer = _Recorder(device='cpu', upscale=1, offline=True)
        with tempfile.TemporaryDirectory() as folder:
            film = write_clip(Path(folder) / 'film.mkv', clips(FRAMES)[-1].film)
            results, alone = {}, []
            for every in EVERY:
                restorer.seen = []
                results[every] = restore_video(
                    film, film.with_name(f'{every}.mkv'), restorer, options=FilmOptions(detect_every=every)
                )
                start = time.perf_counter()
                for crops in restorer.seen:
                    restorer.faces.restore(crops)
                alone.append(time.perf_counter() - start)
    finally:
        torch.set_num_threads(threads)
    first = results[1]
    share = f'film of {first.frames} frames beside its network alone, one thread a step ({first.throughput()})'
    return [
        Row(share, [first.elapsed], alone[:1], at_least=OVERLAP),
        *(
            Row(f'the same, faces looked for in every {every}th frame', [results[every].elapsed], [first.elapsed])
            for every in EVERY[1:]
        ),
    ]


def main() -> None:
    """In a process of its own, as peak memory only grows."""
    film, out = sys.argv[1:]
    restore_video(film, out, disc_restorer())
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


if __name__ == '__main__':
    main()
