import numpy as np
import pytest
import torch
from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric

from daefr_arch.errors import InputError, WeightsError
from daefr_arch.metrics.feature_statistics import FeatureStatistics, frechet_distance


@pytest.fixture
def features() -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(0)
    mixing = generator.normal(size=(24, 24))
    return generator.normal(size=(200, 24)) @ mixing, 1.3 * generator.normal(size=(150, 24)) @ mixing + 0.4


def test_agrees_with_torch_fidelity(features):
    distance = frechet_distance(*(FeatureStatistics.of(each) for each in features))
    statistics = [fid_features_to_statistics(torch.from_numpy(each)) for each in features]
    expected = fid_statistics_to_metric(*statistics, verbose=False)['frechet_inception_distance']
    assert distance == pytest.approx(expected, rel=1e-6)


def test_is_right_for_fewer_images_than_features(features):
    few = FeatureStatistics.of(features[0][:8])
    assert frechet_distance(few, few) == pytest.approx(0, abs=1e-4)
    # a singular covariance: the root of C^2 is C, so that Tr(C + 4C - 2 (C 4C)^(1/2)) = Tr(C)
    scaled = FeatureStatistics(few.mean, 4 * few.covariance)
    assert frechet_distance(few, scaled) == pytest.approx(np.trace(few.covariance), rel=1e-6)


def test_files(tmp_path, features):
    statistics = FeatureStatistics.of(features[0])
    torch.save({'name': 'FFHQ', 'size': 512, 'mean': statistics.mean, 'cov': statistics.covariance}, tmp_path / 'a.pth')
    statistics.write(tmp_path / 'a.npz')
    for name in ('a.pth', 'a.npz'):
        read = FeatureStatistics.read(tmp_path / name)
        assert (read.mean == statistics.mean).all()
        assert (read.covariance == statistics.covariance).all()


def test_files_that_hold_something_else(tmp_path):
    np.savez(tmp_path / 'other.npz', mean=np.zeros(2))
    with pytest.raises(WeightsError, match='expected the keys mu and sigma, found mean'):
        FeatureStatistics.read(tmp_path / 'other.npz')
    np.savez(tmp_path / 'odd.npz', mu=np.zeros(2), sigma=np.zeros((3, 3)))
    with pytest.raises(WeightsError, match='does not go with'):
        FeatureStatistics.read(tmp_path / 'odd.npz')
    for name in ('broken.pth', 'broken.npz'):
        (tmp_path / name).write_bytes(b'nothing')
        with pytest.raises(WeightsError, match='damaged'):
            FeatureStatistics.read(tmp_path / name)
        with pytest.raises(WeightsError, match='no weight file'):
            FeatureStatistics.read(tmp_path / f'absent-{name}')
    with pytest.raises(InputError, match=r'\.pth or \.npz'):
        FeatureStatistics.read(tmp_path / 'table.csv')
    with pytest.raises(InputError, match='two images'):
        FeatureStatistics.of(np.zeros((1, 4)))
