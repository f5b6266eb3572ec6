import math
from itertools import pairwise

import pytest
import torch

from daefr_arch.errors import InputError
from daefr_arch.faces.evidence import HIGHEST_MIDPOINT, LUMA_MIDPOINTS, MIDPOINT, midpoint, weights

RATIOS = [torch.linspace(-4, 3, 50).view(1, 1, 5, 10).expand(1, 2, 5, 10)] * 6


def test_auto_is_the_middle_of_the_knob():
    assert midpoint(None) == midpoint(0.5) == MIDPOINT
    assert midpoint(0) == 0
    assert midpoint(1) == pytest.approx(HIGHEST_MIDPOINT)


def test_weights_fall_with_the_error_and_are_a_half_at_the_midpoint():
    assert all((weight.flatten(2).diff(dim=2) < 0).all() for weight in weights(RATIOS))
    halves = weights([torch.tensor([MIDPOINT * factor, MIDPOINT]).log().view(2, 1, 1) for factor in LUMA_MIDPOINTS])
    assert torch.stack(halves).flatten().tolist() == pytest.approx([0.5] * 12)


def test_a_photo_a_little_soft_lacks_its_finest_luma_and_shows_who_somebody_is():
    finest, next_one, *others = weights([torch.full((2, 1, 1), math.log(MIDPOINT))] * 6)
    assert finest[0].item() < 0.35
    assert next_one[0].item() > 0.7
    assert min(weight[0].item() for weight in others[:2]) > 0.8


def test_evidence_is_kept_whole_and_guesses_are_mixed():
    nearer, further = ([torch.full((2, 1, 1), math.log(MIDPOINT * factor))] * 6 for factor in (1 / 8, 8))
    assert weights(nearer)[-1].min().item() > 0.995
    assert 0.05 < weights(further)[-1].max().item() < 0.1


def test_weights_grow_with_fidelity_everywhere_from_the_network_alone():
    steps = [weights(RATIOS, fidelity / 10)[0] for fidelity in range(11)]
    assert not steps[0].any()
    assert all((after >= before).all() for before, after in pairwise(steps))
    assert (steps[10] > steps[5] + 0.5).any()
    highest = weights([torch.full((2, 1, 1), math.log(HIGHEST_MIDPOINT))] * 6, 1.0)
    assert max(weight.max().item() for weight in highest) == pytest.approx(0.5)


@pytest.mark.parametrize('fidelity', [-0.1, 1.1, float('nan')])
def test_a_fidelity_outside_its_range_is_refused(fidelity):
    with pytest.raises(InputError, match='expected a number in'):
        weights(RATIOS, fidelity)
