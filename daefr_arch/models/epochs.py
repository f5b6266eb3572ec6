"""The epochs of a training: how long they are, where a run stands in them, and where a resumed one goes on.

BasicSR counts iterations and epochs, and derives the one from the other: after another batch size, number of processes
or dataset it would end at once. Here a state says how far its epoch is, and each run counts from where it begins.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

# what the length of an epoch depends on -> its option; then what its order depends on besides
_LENGTHS = {'batch_size': 'batch_size_per_gpu', 'processes': 'the number of processes'}
_ORDER = {'images': 'the number of training images', 'ratio': 'dataset_enlarge_ratio', 'seed': 'the seed'}


@dataclass(frozen=True)
class Epochs:
    """The epochs of a run, counted from where it begins.

    Attributes:
        images: in the training set.
        ratio: how often an epoch has each.
        seed: of the order.
        batch_size: of a process.
        processes: that share an epoch.
        iteration: iterations that are done when the run begins.
        epoch: in which it begins.
        samples: of that epoch, by all processes together, that are done when it begins.
    """

    images: int
    ratio: int
    seed: int
    batch_size: int
    processes: int
    iteration: int = 0
    epoch: int = 0
    samples: int = 0

    @property
    def size(self) -> int:
        """Samples of an epoch, so many that the processes share it evenly."""
        return -(-self.images * self.ratio // self.processes) * self.processes

    @property
    def iterations(self) -> int:
        """Iterations of a whole epoch; what does not fill a batch is left out."""
        return self._iterations_after(0)

    def _iterations_after(self, samples: int) -> int:
        return (self.size - samples) // self.processes // self.batch_size

    def last(self, total_iter: int) -> int:
        """The epoch in which iteration `total_iter` is reached."""
        left = total_iter - self.iteration - self._iterations_after(self.samples)
        return self.epoch + max(0, -(-left // self.iterations))

    def position(self, epoch: int, iteration: int) -> dict[str, int]:
        """What a training state keeps: where the run stands after `iteration`, which was in `epoch`."""
        done, samples = iteration - self.iteration, self.samples
        if epoch > self.epoch:
            done -= self._iterations_after(self.samples) + (epoch - self.epoch - 1) * self.iterations
            samples = 0
        kept = {name: getattr(self, name) for name in (*_LENGTHS, *_ORDER)}
        return {**kept, 'samples': samples + done * self.batch_size * self.processes}

    def go_on(self, state: Mapping[str, Any]) -> tuple['Epochs', str | None]:
        """These epochs from where a training state stands, and, if something has changed since, what and what follows.

        Where the order is still that of the state, its epoch goes on; else a new one begins.

        Args:
            state: with `epoch`, `iter` and, unless BasicSR has written it, `position`.
        """
        epoch, iteration = state['epoch'], state['iter']
        position = state.get('position') or self._guess(epoch, iteration)
        changes = [
            f'{words} was {position[name]} and is {getattr(self, name)}'
            for name, words in (_LENGTHS | _ORDER).items()
            if position[name] != getattr(self, name)
        ]
        same_order = all(position[name] == getattr(self, name) for name in _ORDER)
        samples = position['samples'] // self.processes * self.processes if same_order else self.size
        begun = replace(self, iteration=iteration, epoch=epoch, samples=samples)
        if not changes:
            return begun, None
        where = f'epoch {epoch}, after {samples} of its {self.size} images' if same_order else f'epoch {epoch + 1}'
        return begun, f'{", ".join(changes)}: goes on after iteration {iteration} in {where}'

    def _guess(self, epoch: int, iteration: int) -> dict[str, int]:
        """The position of a state that does not say it: as if all epochs had been as long as these."""
        samples = (iteration - epoch * self.iterations) * self.batch_size * self.processes
        return {**self.position(self.epoch, self.iteration), 'samples': min(max(samples, 0), self.size)}
