import pickle

import pytest

from daefr_arch.data.draw_sampler import Draw, DrawSampler


class Faces(list):
    seed = 5


def drawn(sampler):
    return [(int(draw), draw.epoch, draw.position) for draw in sampler]


def test_draw_is_an_index_that_survives_pickling():
    draw = pickle.loads(pickle.dumps(Draw(3, epoch=2, position=40)))
    assert ['a', 'b', 'c', 'd'][draw] == 'd'
    assert (draw, draw.epoch, draw.position) == (3, 2, 40)


def test_an_epoch_holds_every_sample_ratio_times_in_an_order_of_its_own():
    sampler = DrawSampler(Faces(range(10)), 1, 0, ratio=3)
    first = drawn(sampler)
    assert sorted(index for index, _, _ in first) == sorted([*range(10)] * 3)
    assert [position for _, _, position in first] == list(range(30))
    assert drawn(sampler) == first
    sampler.set_epoch(1)
    assert [index for index, _, _ in drawn(sampler)] != [index for index, _, _ in first]


def test_the_seed_of_the_dataset_orders():
    other = Faces(range(50))
    other.seed = 6
    assert drawn(DrawSampler(Faces(range(50)), 1, 0)) != drawn(DrawSampler(other, 1, 0))


def test_processes_share_the_batches_of_a_single_one():
    single = drawn(DrawSampler(Faces(range(12)), 1, 0))
    first, second = (drawn(DrawSampler(Faces(range(12)), 2, rank)) for rank in (0, 1))
    assert [draw for pair in zip(first, second, strict=True) for draw in pair] == single


@pytest.mark.parametrize('samples', [0, 4, 6])
def test_resumes_in_the_middle_of_its_epoch_only(samples):
    uninterrupted, resumed = (DrawSampler(Faces(range(12)), 2, 1) for _ in range(2))
    resumed.resume(epoch=3, samples=samples)
    for epoch in (0, 3, 4):
        uninterrupted.set_epoch(epoch)
        resumed.set_epoch(epoch)
        assert drawn(resumed) == drawn(uninterrupted)[samples if epoch == 3 else 0 :]
        assert len(resumed) == 6
