"""The numbers of face verification: accuracy over folds as LFW defines it, and the ROC curve.

Arrays: `similarity` (P,), higher for faces more alike; `same` (P,) bool; `fold` (P,) integers.
"""

from dataclasses import dataclass

import numpy as np

from daefr_arch.errors import InputError


@dataclass(frozen=True)
class FoldAccuracy:
    """Accuracy in [0, 1] and threshold of every fold."""

    accuracies: np.ndarray
    thresholds: np.ndarray

    @property
    def mean(self) -> float:
        """LFW's estimated mean accuracy."""
        return float(self.accuracies.mean())

    @property
    def standard_error(self) -> float:
        """LFW's standard error of the mean, s / sqrt(folds)."""
        return float(self.accuracies.std(ddof=1) / np.sqrt(len(self.accuracies)))


@dataclass(frozen=True)
class ROC:
    """Share of pairs of one person accepted (tar) over that of others (far), from the strictest threshold on.

    others: number of pairs of two persons; far goes in steps of 1 / others.
    """

    far: np.ndarray
    tar: np.ndarray
    thresholds: np.ndarray
    others: int

    @property
    def auc(self) -> float:
        """Area under the curve, by trapezoids."""
        return float(np.trapezoid(self.tar, self.far))

    def tar_at(self, far: float) -> float | None:
        """The highest tar at which no more than `far` of the others are accepted; None where `far` is below one."""
        if far * self.others < 1 - 1e-9:
            return None
        return float(self.tar[self.far <= far].max())


def fold_accuracy(similarity: np.ndarray, same: np.ndarray, fold: np.ndarray) -> FoldAccuracy:
    """Each fold's accuracy at the threshold that is best on all the others.

    Raises:
        InputError: fewer than two folds.

    Example:
        >>> similarity = np.array([0.9, 0.1, 0.8, 0.2])
        >>> fold_accuracy(similarity, np.array([True, False, True, False]), np.array([0, 0, 1, 1])).mean
        1.0
    """
    folds = np.unique(fold)
    if len(folds) < 2:
        raise InputError(f'the threshold of a fold comes from the others: expected two folds or more, got {len(folds)}')
    thresholds = np.array([best_threshold(similarity[fold != each], same[fold != each]) for each in folds])
    accuracies = [
        np.mean((similarity[fold == each] >= threshold) == same[fold == each])
        for each, threshold in zip(folds, thresholds, strict=True)
    ]
    return FoldAccuracy(np.array(accuracies), thresholds)


def best_threshold(similarity: np.ndarray, same: np.ndarray) -> float:
    """The lowest threshold of the highest accuracy, where `similarity >= threshold` means one person.

    Candidates lie half way between neighbouring similarities, and beyond the outermost.
    """
    values = np.unique(similarity)
    candidates = np.concatenate([[values[0] - 1], (values[1:] + values[:-1]) / 2, [values[-1] + 1]])
    accepted_same = len(same[same]) - np.searchsorted(np.sort(similarity[same]), candidates)
    refused_others = np.searchsorted(np.sort(similarity[~same]), candidates)
    return float(candidates[np.argmax(accepted_same + refused_others)])


def roc_curve(similarity: np.ndarray, same: np.ndarray) -> ROC:
    """The curve at every similarity that occurs, from (0, 0) to (1, 1).

    Raises:
        InputError: no pair of one person, or none of two.
    """
    if same.all() or not same.any():
        raise InputError('a ROC curve needs pairs of one person and pairs of two')
    thresholds = np.concatenate([[np.inf], np.unique(similarity)[::-1]])
    tar, far = ((similarity[kind][None] >= thresholds[:, None]).mean(1) for kind in (same, ~same))
    return ROC(far=far, tar=tar, thresholds=thresholds, others=int(np.sum(~same)))
