"""With random weights: the network against torch-fidelity's, the distance against its own statistics."""

import cv2
import numpy as np
import pytest
import torch
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

from daefr_arch.checkpoints import MissingWeightsError
from daefr_arch.errors import InputError, WeightsError
from daefr_arch.io.tensors import to_tensor
from daefr_arch.metrics import fid_metric
from daefr_arch.metrics.feature_statistics import FeatureStatistics
from daefr_arch.metrics.fid_metric import FID, GROUND_TRUTH, build_inception, daefr_fid


@pytest.fixture(scope='module')
def weights(tmp_path_factory) -> str:
    from basicsr.archs.inception import FIDInceptionA, FIDInceptionC, FIDInceptionE_1, FIDInceptionE_2
    from torchvision.models import inception_v3

    torch.manual_seed(0)
    network = inception_v3(num_classes=1008, aux_logits=False, weights=None, init_weights=False)
    network.Mixed_5b, network.Mixed_5c, network.Mixed_5d = (
        FIDInceptionA(192, 32),
        FIDInceptionA(256, 64),
        FIDInceptionA(288, 64),
    )
    for name, channels in (('6b', 128), ('6c', 160), ('6d', 160), ('6e', 192)):
        setattr(network, f'Mixed_{name}', FIDInceptionC(768, channels))
    network.Mixed_7b, network.Mixed_7c = FIDInceptionE_1(1280), FIDInceptionE_2(2048)
    path = tmp_path_factory.mktemp('weights') / 'inception.pth'
    torch.save(network.state_dict(), path)
    return str(path)


@pytest.fixture(scope='module')
def images(sharp, degraded) -> list[np.ndarray]:
    return [sharp, degraded, sharp[:, ::-1].copy(), degraded[::-1].copy()]


def test_network_is_torch_fidelitys(weights, sharp):
    reference = FeatureExtractorInceptionV3('reference', ['2048'], feature_extractor_weights_path=weights)
    image = cv2.resize(sharp, (299, 299))  # at this size nobody resizes
    rgb = torch.from_numpy(image[:, :, ::-1].copy()).permute(2, 0, 1)[None]
    with torch.no_grad():
        expected = reference(rgb)[0].flatten()
        # torch-fidelity centres at 128, pytorch-fid and BasicSR at 127.5
        features = build_inception(weights=weights)((rgb.float() - 128) / 128)[0].flatten()
    torch.testing.assert_close(features, expected, rtol=1e-4, atol=1e-6)


def test_order_of_channels_matters(weights, sharp):
    metric = FID(GROUND_TRUTH, weights=weights)
    features = metric.features(sharp)
    with torch.no_grad():
        assert features == pytest.approx(metric.network(to_tensor(sharp))[0].flatten().numpy())
    assert np.abs(metric.features(sharp[..., ::-1].copy()) - features).max() > 1e-3 * np.abs(features).max()


def sum_of_means(a: FeatureStatistics, b: FeatureStatistics) -> float:
    """Stands in for the distance, whose eigenvalues of 2048x2048 take seconds; 10 a + b tells a from b."""
    return float((10 * a.mean + b.mean).sum())


def test_references_agree(weights, images, tmp_path, monkeypatch):
    monkeypatch.setattr(fid_metric, 'frechet_distance', sum_of_means)
    results, truths = images[:2], images[2:]
    against_truth = FID(GROUND_TRUTH, weights=weights)
    for result, truth in zip(results, truths, strict=True):
        against_truth.update(result, truth)
    statistics = FeatureStatistics.of([against_truth.features(image) for image in truths])
    expected = sum_of_means(FeatureStatistics.of([against_truth.features(image) for image in results]), statistics)
    assert against_truth.compute() == pytest.approx(expected, rel=1e-5)
    assert daefr_fid(results, truths, weights=weights) == pytest.approx(expected, rel=1e-5)
    statistics.write(tmp_path / 'truth.npz')
    against_file = FID(tmp_path / 'truth.npz', weights=weights)
    assert not against_file.needs_ground_truth
    for result in results:
        against_file.update(result)
    assert against_file.compute() == pytest.approx(expected, rel=1e-5)


def test_a_folder_is_a_reference(weights, images, tmp_path):
    for index, image in enumerate(images[2:]):
        cv2.imwrite(str(tmp_path / f'{index}.png'), image)
    metric = FID(tmp_path, weights=weights)
    expected = FeatureStatistics.of([metric.features(image) for image in images[2:]])
    assert metric.reference.mean == pytest.approx(expected.mean, rel=1e-5)


def test_basicsr_hands_over_single_images(images):
    with pytest.raises(InputError, match='whole sets'):
        daefr_fid(images[0], images[1])


def test_missing_files_are_named(tmp_path, monkeypatch, weights):
    monkeypatch.setenv('DAEFR_HOME', str(tmp_path))
    with pytest.raises(MissingWeightsError, match='pt_inception-2015-12-05-6726825d'):
        FID()
    with pytest.raises(MissingWeightsError, match='inception_FFHQ_512-f7b384ab'):
        FID(weights=weights)
    torch.save({'a': torch.zeros(1)}, tmp_path / 'other.pth')
    with pytest.raises(WeightsError, match='expected the weights of the FID InceptionV3'):
        FID(weights=tmp_path / 'other.pth')
