"""The order of training samples, as a pure function of (seed, epoch): what a resumed run needs to repeat it exactly."""

from collections.abc import Iterator, Sized

import numpy as np
from torch.utils.data import Sampler


class Draw(int):
    """An index into a dataset that also says when it is drawn, so that random draws can depend on nothing else.

    It is a plain int to other datasets. It travels to persistent worker processes with each batch of indices, unlike
    an epoch that is set on the dataset.

    Attributes:
        epoch: of the sampler.
        position: in the epoch, over all processes.
    """

    epoch: int
    position: int

    def __new__(cls, index: int, epoch: int = 0, position: int = 0) -> 'Draw':
        draw = super().__new__(cls, index)
        draw.epoch = epoch
        draw.position = position
        return draw


class DrawSampler(Sampler[int]):
    """Shuffles each epoch, shares it among processes, yields `Draw`s, and can begin in the middle of an epoch.

    Takes the place of BasicSR's EnlargedSampler, with the same first four arguments. Process `rank` takes every
    `num_replicas`-th position: the batches of all processes together are those of a single process whose batch is
    `num_replicas` times larger. Where they do not share an epoch evenly, its first samples come again at its end.

    Args:
        dataset: whose length counts.
        num_replicas: processes that take part.
        rank: of this process.
        ratio: an epoch holds each sample this many times.
        seed: of the order; None: the dataset's attribute of that name, or 0 where it has none.
    """

    def __init__(
        self, dataset: Sized, num_replicas: int, rank: int, ratio: int = 1, *, seed: int | None = None
    ) -> None:
        self.dataset = dataset
        self.num_replicas = num_replicas
        self.rank = rank
        self.seed: int = getattr(dataset, 'seed', 0) if seed is None else seed
        self.epoch = 0
        self.epoch_size = len(dataset) * ratio
        self.num_samples = -(-self.epoch_size // num_replicas)
        self.total_size = self.num_samples * num_replicas
        self._resumed = (0, 0)

    def set_epoch(self, epoch: int) -> None:
        """Sets the epoch whose order the next iteration yields."""
        self.epoch = epoch

    def resume(self, epoch: int, samples: int) -> None:
        """Lets iterations over `epoch`, and no other, begin after the first `samples` samples of this process."""
        self._resumed = (epoch, samples)

    def __iter__(self) -> Iterator[int]:
        epoch = self.epoch
        order = np.random.default_rng([self.seed, epoch]).permutation(self.epoch_size) % len(self.dataset)
        start = self._resumed[1] if epoch == self._resumed[0] else 0
        for position in range(self.rank + start * self.num_replicas, self.total_size, self.num_replicas):
            yield Draw(int(order[position % self.epoch_size]), epoch, position)

    def __len__(self) -> int:
        return self.num_samples
