"""The scalars of a training step: averaged over the processes, checked to be finite, handed to BasicSR's logger."""

import math
import resource
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from daefr_arch.errors import TrainingError
from daefr_arch.models.distributed import mean_over_ranks


class LossLog:
    """Holds the scalars of the last step.

    They are read one step late, so that the GPU is not kept waiting: each step's are copied when the GPU has got there,
    while the next step is launched. `check` must be called before anything is saved.
    """

    def __init__(self) -> None:
        self._names: list[str] = []
        self._values = torch.zeros(0)
        self._own = self._values
        self._copied: torch.cuda.Event | None = None
        self._paths: Sequence[str] = ()
        self._iteration = 0

    def record(self, iteration: int, scalars: Mapping[str, Tensor], paths: Sequence[str]) -> None:
        """Takes the scalars of one step and the file names of its batch."""
        self.check()
        own = torch.stack([value.detach().float() for value in scalars.values()])
        self._names, self._paths, self._iteration = list(scalars), paths, iteration
        # a not-a-number of one process reaches all of them here, so that all stop
        self._own, values = own, mean_over_ranks(own)
        self._values = values.to('cpu', non_blocking=values.is_cuda)
        if values.is_cuda:
            self._copied = torch.cuda.Event()
            self._copied.record()

    def check(self) -> None:
        """Raises TrainingError if a scalar of the last step is not finite."""
        if self._copied is not None:
            self._copied.synchronize()
        values = zip(self._names, self._values.tolist(), strict=True)
        bad = ', '.join(f'{name} is {value}' for name, value in values if not math.isfinite(value))
        if not bad:
            return
        here = not bool(torch.isfinite(self._own).all())
        raise TrainingError(
            f'iteration {self._iteration}: {bad}; nothing more is saved. Batch of this process, '
            f'{"which caused it" if here else "while another caused it"}: {", ".join(self._paths)}. '
            'Lower the learning rate, set train.grad_clip, or use amp: bf16 instead of fp16.'
        )

    def averages(self) -> dict[str, float]:
        """Name -> mean over the processes, of the last step."""
        self.check()
        return dict(zip(self._names, self._values.tolist(), strict=True))


def peak_memory_gib(device: torch.device) -> float:
    """Most memory in use so far: on a GPU what PyTorch allocated there, else the resident memory of the process."""
    if device.type == 'cuda':
        return torch.cuda.max_memory_allocated() / 2**30
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
