"""Too little shared memory for the workers of a training: the error says what helps."""

import pytest

from daefr_arch.errors import TrainingError
from daefr_arch.models.shared_memory import told_what_to_do


@pytest.mark.parametrize(
    'message',
    [
        'Caught RuntimeError in DataLoader worker process 0.\nRuntimeError: unable to allocate shared memory(shm) for '
        'file </torch_20633_1358353138_0>: No space left on device (28)',
        "DataLoader worker (pid 71) is killed by signal: Bus error. It is possible that dataloader's workers are out "
        'of shared memory. Please try to raise your shared memory limit.',
        'DataLoader worker (pid 71) is killed by signal: Bus error. ',
    ],
)
def test_the_remedies_are_named(message):
    with pytest.raises(TrainingError, match=r'/dev/shm.* --shm-size=8g.* num_worker_per_gpu') as raised:
        with told_what_to_do():
            raise RuntimeError(message)
    assert str(raised.value.__cause__) == message


def test_other_errors_stay_what_they_are():
    with pytest.raises(RuntimeError, match='killed by signal: Killed'):
        with told_what_to_do():
            raise RuntimeError('DataLoader worker (pid 71) is killed by signal: Killed.')
