import doctest
import importlib
import pkgutil

import numpy as np
import pytest
from basicsr.utils.registry import METRIC_REGISTRY

from daefr_arch import metrics
from daefr_arch.checkpoints import MissingWeightsError
from daefr_arch.errors import UsageError
from daefr_arch.evaluation.build import BUILDERS, WITH_GROUND_TRUTH, MetricSettings, build_metrics

MODULES = [f'{metrics.__name__}.{module.name}' for module in pkgutil.iter_modules(metrics.__path__)]


def test_every_metric_is_registered():
    for name in BUILDERS:
        assert METRIC_REGISTRY.get(f'daefr_{name}').__name__ == f'daefr_{name}'


def test_missing_weights_are_an_error_unless_skipped(tmp_path, monkeypatch):
    monkeypatch.setenv('DAEFR_HOME', str(tmp_path))
    with pytest.raises(MissingWeightsError, match=r'lpips: vgg16-397923af\.pth .* --skip_missing'):
        build_metrics(['psnr', 'lpips'])
    settings = MetricSettings(landmark_backend='dlib')
    found, missing = build_metrics(WITH_GROUND_TRUTH, settings, skip_missing=True)
    assert [metric.name for metric in found] == ['niqe', 'lmd', 'psnr', 'ssim']
    assert [summary.name for summary in missing] == ['fid', 'lpips', 'ida']
    assert all('is not in' in summary.missing and summary.mean is None for summary in missing)


def test_unknown_metric():
    with pytest.raises(UsageError, match='unknown metrics pnsr'):
        build_metrics(['pnsr'])


@pytest.mark.parametrize('name', MODULES)
def test_examples_of_docstrings_run(name):
    module = importlib.import_module(name)
    assert doctest.testmod(module, extraglobs={'np': np}).failed == 0
