import numpy as np
import pytest
from scipy.stats import mannwhitneyu

from daefr_arch.errors import InputError
from daefr_arch.verification.verification import best_threshold, fold_accuracy, roc_curve


def test_threshold_is_half_way_and_the_lowest_of_the_best():
    similarity = np.array([0.1, 0.3, 0.7, 0.9])
    assert best_threshold(similarity, np.array([False, False, True, True])) == pytest.approx(0.5)
    # at 0.2 and at 0.8 three of four are right
    assert best_threshold(similarity, np.array([False, True, False, True])) == pytest.approx(0.2)
    assert best_threshold(similarity, np.array([True, True, True, True])) < 0.1


def test_threshold_is_the_best_of_all():
    generator = np.random.default_rng(0)
    similarity, same = generator.normal(size=50).round(1), generator.random(50) < 0.5
    best = max(np.mean((similarity >= threshold) == same) for threshold in np.linspace(-5, 5, 2001))
    assert np.mean((similarity >= best_threshold(similarity, same)) == same) == best


def test_accuracy_by_hand():
    # fold 0 alone would choose 0.35; the threshold for it comes from folds 1 and 2: 0.55, at which 0.4 is refused
    similarity = np.array([0.4, 0.3, 0.8, 0.5, 0.6, 0.2])
    same = np.array([True, False] * 3)
    result = fold_accuracy(similarity, same, np.array([0, 0, 1, 1, 2, 2]))
    # fold 1: candidates from 0.4/0.3 and 0.6/0.2 give 0.35, which accepts 0.5 wrongly; fold 2: 0.35 (0.65 ties, higher)
    assert result.thresholds == pytest.approx([0.55, 0.35, 0.35])
    assert result.accuracies == pytest.approx([0.5, 0.5, 1.0])
    assert result.mean == pytest.approx(2 / 3)
    assert result.standard_error == pytest.approx(np.std([0.5, 0.5, 1.0], ddof=1) / np.sqrt(3))


def test_one_fold_has_no_threshold():
    with pytest.raises(InputError, match='two folds'):
        fold_accuracy(np.zeros(2), np.array([True, False]), np.zeros(2))


def test_roc_by_hand():
    curve = roc_curve(np.array([0.9, 0.8, 0.7, 0.6, 0.5]), np.array([True, False, True, True, False]))
    assert curve.far.tolist() == [0, 0, 0.5, 0.5, 0.5, 1]
    assert curve.tar == pytest.approx([0, 1 / 3, 1 / 3, 2 / 3, 1, 1])
    assert curve.auc == pytest.approx(4 / 6)  # of six comparisons of a pair of each kind four are in order
    assert curve.tar_at(0.5) == 1
    assert curve.tar_at(0.99) == 1
    assert curve.tar_at(0.49) is None  # of two pairs none is less than a half


def test_area_is_mann_whitneys():
    generator = np.random.default_rng(1)
    same = generator.random(300) < 0.4
    similarity = (generator.normal(size=300) + same).round(1)  # with ties
    statistic = mannwhitneyu(similarity[same], similarity[~same]).statistic
    assert roc_curve(similarity, same).auc == pytest.approx(statistic / same.sum() / (~same).sum())


def test_roc_needs_both_kinds():
    with pytest.raises(InputError, match='pairs of two'):
        roc_curve(np.zeros(2), np.ones(2, bool))
