import pytest
import torch

from daefr_arch.analysis.similarity import SimilarityRecord, place_agreement
from daefr_arch.losses.association_loss import association_matrix


def features(batch=2, channels=32, side=4):
    torch.manual_seed(0)
    return torch.randn(batch, channels, side, side)


def test_equal_features_find_their_own_place():
    feature = features()
    agreement = place_agreement(association_matrix(feature, 3 * feature))
    assert agreement.hq_to_lq.tolist() == agreement.lq_to_hq.tolist() == [1, 1]
    assert agreement.diagonal.tolist() == pytest.approx([1, 1])
    assert agreement.off_diagonal.abs().max() < 0.1


def test_permuted_features_find_another_place():
    feature = features()
    moved = feature.flatten(2).roll(1, dims=2).view_as(feature)
    agreement = place_agreement(association_matrix(feature, moved))
    assert agreement.hq_to_lq.tolist() == agreement.lq_to_hq.tolist() == [0, 0]
    assert agreement.diagonal.abs().max() < 0.1


def test_by_hand_in_both_directions():
    matrix = torch.tensor([[[0.9, 0.1, 0.0], [0.95, 0.5, 0.2], [0.3, 0.4, 0.6]]])
    agreement = place_agreement(matrix)
    assert agreement.hq_to_lq.item() == pytest.approx(2 / 3)  # the second row prefers the first column
    assert agreement.lq_to_hq.item() == pytest.approx(2 / 3)  # the first column prefers the second row
    assert agreement.diagonal.item() == pytest.approx((0.9 + 0.5 + 0.6) / 3)
    assert agreement.off_diagonal.item() == pytest.approx((0.1 + 0 + 0.95 + 0.2 + 0.3 + 0.4) / 6)
    turned = place_agreement(torch.tensor([[[0.9, 0.1], [0.8, 0.7]]]))
    assert (turned.hq_to_lq.item(), turned.lq_to_hq.item()) == (0.5, 1)
    alike = place_agreement(torch.ones(1, 4, 4))
    assert (alike.hq_to_lq.item(), alike.lq_to_hq.item()) == (0.25, 0.25)


@pytest.mark.parametrize('shape', [(3, 3), (1, 3, 4), (1, 1, 1)])
def test_other_shapes_are_refused(shape):
    with pytest.raises(ValueError, match='expected association matrices'):
        place_agreement(torch.zeros(shape))


def test_batches_sum_up_to_the_mean_of_the_images():
    hq, lq = features(5), features(5) + torch.randn(5, 32, 4, 4)
    record = SimilarityRecord()
    for images in (slice(0, 2), slice(2, 5)):
        record.add(hq[images], lq[images])
    summary = record.summary()
    matrices = association_matrix(hq, lq)
    assert torch.allclose(summary.matrix, matrices.mean(0), atol=1e-6)
    for batched, whole in zip(summary.agreement, place_agreement(matrices), strict=True):
        assert torch.allclose(batched, whole, atol=1e-6)
    with pytest.raises(ValueError, match='no features'):
        SimilarityRecord().summary()
