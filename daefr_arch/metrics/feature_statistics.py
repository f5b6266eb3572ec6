"""Mean and covariance of a set's features, the files that hold them, and their Fréchet distance."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.linalg import eigh

from daefr_arch.checkpoints import read_arrays
from daefr_arch.errors import InputError, WeightsError


@dataclass(frozen=True)
class FeatureStatistics:
    """mean (D,) and covariance (D, D), float64."""

    mean: np.ndarray
    covariance: np.ndarray

    @classmethod
    def of(cls, features: np.ndarray | Sequence[np.ndarray]) -> 'FeatureStatistics':
        """Statistics of features (N, D), N at least 2; the covariance divides by N - 1."""
        features = np.asarray(features, np.float64)
        if len(features) < 2:
            raise InputError(f'a covariance needs at least two images, got {len(features)}')
        return cls(features.mean(0), np.cov(features, rowvar=False))

    @classmethod
    def read(cls, path: str | Path) -> 'FeatureStatistics':
        """From BasicSR's .pth (`mean`, `cov`: inception_FFHQ_512-f7b384ab.pth) or pytorch-fid's .npz (`mu`, `sigma`).

        Raises:
            InputError: another kind of file.
            WeightsError: no file, a damaged one, or other content.
        """
        keys = {'.npz': ('mu', 'sigma'), '.pth': ('mean', 'cov')}.get(Path(path).suffix)
        if keys is None:
            raise InputError(f'{path}: expected FID statistics in .pth or .npz, or a folder of images')
        mean, covariance = read_arrays(path, keys)
        if mean.ndim != 1 or covariance.shape != mean.shape * 2:
            raise WeightsError(f'{path}: a mean {mean.shape} does not go with a covariance {covariance.shape}')
        return cls(mean, covariance)

    def write(self, path: str | Path) -> None:
        """Writes pytorch-fid's .npz."""
        np.savez(path, mu=self.mean, sigma=self.covariance)


def frechet_distance(a: FeatureStatistics, b: FeatureStatistics) -> float:
    """|m_a - m_b|^2 + Tr(C_a + C_b - 2 (C_a C_b)^(1/2)) (Dowson & Landau 1982), from 0 up.

    The trace of the root is that of (C_a^(1/2) C_b C_a^(1/2))^(1/2): symmetric, so that its eigenvalues are real and
    stay right for the singular covariances of fewer images than features.

    Example:
        >>> a = FeatureStatistics(np.zeros(2), np.diag([1.0, 4.0]))
        >>> b = FeatureStatistics(np.array([3.0, 0.0]), np.diag([9.0, 4.0]))
        >>> frechet_distance(a, b)  # 3^2 + (1 - 3)^2 + 0
        13.0
    """
    if a.mean.shape != b.mean.shape:
        raise InputError(f'statistics of {a.mean.size} and of {b.mean.size} features cannot be compared')
    values, vectors = eigh(a.covariance)
    root = vectors * np.sqrt(values.clip(0)) @ vectors.T
    trace_of_root = np.sqrt(eigh(root @ b.covariance @ root, eigvals_only=True).clip(0)).sum()
    distance = np.sum((a.mean - b.mean) ** 2) + np.trace(a.covariance) + np.trace(b.covariance) - 2 * trace_of_root
    return max(0.0, float(distance))
