"""What a method costs: time a face and peak memory."""

import gc
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

_PROCESS = Path('/proc/self')


@dataclass(frozen=True)
class Cost:
    """Cost of a method on the faces of a run.

    Attributes:
        seconds: of each face alone, from crop to result, after one face to warm up; empty for results made elsewhere.
        peak_bytes: the most that loading and running took. CUDA: allocated tensors. CPU: resident memory above that of
            the process before, on Linux only. None where it cannot be measured.
    """

    seconds: tuple[float, ...] = ()
    peak_bytes: int | None = None

    @property
    def median(self) -> float | None:
        """Median seconds a face."""
        return float(np.median(self.seconds)) if self.seconds else None

    @property
    def quartiles(self) -> tuple[float, float] | None:
        """First and third quartile of the seconds."""
        return tuple(np.percentile(self.seconds, (25, 75)).tolist()) if self.seconds else None


class PeakMemory:
    """Measures the peak from its making to `read`."""

    def __init__(self, device: torch.device) -> None:
        gc.collect()
        self.device = device
        self.start: int | None = None
        if device.type == 'cuda':
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats(device)
            self.start = torch.cuda.memory_allocated(device)
        elif device.type == 'cpu' and _reset_peak():
            self.start = _status_bytes('VmRSS')

    def read(self) -> int | None:
        """Bytes above those at the start."""
        if self.start is None:
            return None
        peak = torch.cuda.max_memory_allocated(self.device) if self.device.type == 'cuda' else _status_bytes('VmHWM')
        return max(0, peak - self.start)


def _reset_peak() -> bool:
    """Sets the peak of resident memory to its present value; False where the system cannot."""
    try:
        (_PROCESS / 'clear_refs').write_text('5')  # proc(5)
    except OSError:
        return False
    return True


def _status_bytes(field: str) -> int:
    lines = (_PROCESS / 'status').read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith(f'{field}:'))
