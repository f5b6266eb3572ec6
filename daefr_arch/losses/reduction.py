"""How a loss makes one number of many: the mean over all values, or Eq. 2 and 6 to the letter, a sum an image."""

from typing import Literal

from torch import Tensor

Reduction = Literal['mean', 'sum']
REDUCTIONS: tuple[Reduction, ...] = ('mean', 'sum')


def check_reduction(reduction: Reduction) -> None:
    """Raises ValueError for an unknown name."""
    if reduction not in REDUCTIONS:
        raise ValueError(f'expected reduction to be one of {REDUCTIONS}, got {reduction!r}')


def divisor(batch: Tensor, reduction: Reduction) -> int:
    """What a loss of PyTorch with this reduction is divided by: a sum, by the number of images of the batch.

    So the weight of a loss does not depend on the batch size, with either reduction.
    """
    return len(batch) if reduction == 'sum' else 1
