"""Where a training stands in its epochs, with BasicSR's loop over epochs and batches, and no network."""

import dataclasses

import pytest

from daefr_arch.data.draw_sampler import DrawSampler
from daefr_arch.models.epochs import Epochs

TOTAL = 30


def _epochs(**changes) -> Epochs:
    return dataclasses.replace(Epochs(images=7, ratio=2, seed=3, batch_size=2, processes=2), **changes)


def _run(epochs: Epochs, total: int = TOTAL, *, stop: int | None = None):
    """iteration -> its draws, in all processes, as BasicSR's train_pipeline asks for them; and the state at the end."""
    samplers = [
        DrawSampler(range(epochs.images), epochs.processes, rank, epochs.ratio, seed=epochs.seed)
        for rank in range(epochs.processes)
    ]
    for sampler in samplers:
        sampler.resume(epochs.epoch, epochs.samples // epochs.processes)
    iteration, batches = epochs.iteration, {}
    for epoch in range(epochs.epoch, epochs.last(total) + 1):
        for sampler in samplers:
            sampler.set_epoch(epoch)
        draws = [draw for same_place in zip(*samplers, strict=True) for draw in same_place]
        size = epochs.batch_size * epochs.processes
        for first in range(0, len(draws) - size + 1, size):
            if iteration == (stop or total):
                break
            iteration += 1
            batches[iteration] = [(int(draw), draw.epoch, draw.position) for draw in draws[first : first + size]]
            state = {'epoch': epoch, 'iter': iteration, 'position': epochs.position(epoch, iteration)}
    return batches, state


@pytest.mark.parametrize('stop', range(1, TOTAL))
def test_the_same_settings_go_on_with_the_same_samples(stop):
    epochs = _epochs()
    whole, _ = _run(epochs)
    first, state = _run(epochs, stop=stop)
    resumed, change = epochs.go_on(state)
    assert change is None
    assert first | _run(resumed)[0] == whole
    assert list(whole) == list(range(1, TOTAL + 1))


@pytest.mark.parametrize(
    ('changed', 'words'),
    [
        ({'batch_size': 7}, 'batch_size_per_gpu was 2 and is 7'),
        ({'batch_size': 1}, 'batch_size_per_gpu was 2 and is 1'),
        ({'processes': 1}, 'the number of processes was 2 and is 1'),
        ({'processes': 3}, 'the number of processes was 2 and is 3'),
        ({'images': 40}, 'the number of training images was 7 and is 40'),
        ({'images': 3}, 'the number of training images was 7 and is 3'),
        ({'ratio': 1}, 'dataset_enlarge_ratio was 2 and is 1'),
        ({'seed': 4}, 'the seed was 3 and is 4'),
    ],
)
@pytest.mark.parametrize('stop', [1, 3, 11])
def test_other_settings_go_on_to_the_end(changed, words, stop):
    _, state = _run(_epochs(), stop=stop)
    resumed, change = _epochs(**changed).go_on(state)
    assert change.startswith(f'{words}: goes on after iteration {stop} in epoch ')
    batches, _ = _run(resumed)
    assert list(batches) == list(range(stop + 1, TOTAL + 1))
    first = batches[stop + 1][0]
    if changed.keys() <= {'batch_size', 'processes'}:  # where the epoch was; less than a batch is left out
        assert first[1:] in ((state['epoch'], resumed.samples), (state['epoch'] + 1, 0))
        assert 0 <= state['position']['samples'] - resumed.samples < resumed.processes
    else:
        assert first[1:] == (state['epoch'] + 1, 0)
    # a run after that with the same settings is exact again
    twice, middle = _run(resumed, stop=stop + 5)
    again, change = _epochs(**changed).go_on(middle)
    assert change is None
    assert twice | _run(again)[0] == batches


def test_a_state_of_basicsr_says_only_epoch_and_iteration():
    epochs = _epochs()
    whole, _ = _run(epochs)
    resumed, change = epochs.go_on({'epoch': 3, 'iter': 10})
    assert change is None
    assert _run(resumed)[0] == {key: value for key, value in whole.items() if key > 10}
    resumed, _ = _epochs(batch_size=1).go_on({'epoch': 3, 'iter': 10})
    assert list(_run(resumed)[0]) == list(range(11, TOTAL + 1))


@pytest.mark.parametrize('processes', [1, 2, 3, 4])
def test_every_image_comes_in_an_epoch_however_many_processes_share_it(processes):
    def order(epochs):
        return [index for batch in _run(epochs, epochs.iterations)[0].values() for index, _, _ in batch]

    drawn = order(_epochs(processes=processes, batch_size=1, ratio=1))
    assert set(drawn) == set(range(7))
    assert drawn[:7] == order(_epochs(processes=1, batch_size=7, ratio=1))
