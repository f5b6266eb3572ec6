import math

import numpy as np
import pytest
from basicsr.metrics import calculate_metric

from daefr_arch.errors import InputError
from daefr_arch.metrics.ida_metric import IDA, daefr_ida, embedding_angle


@pytest.mark.parametrize('degrees', [0.001, 30, 90, 179])
def test_angle_of_known_vectors(degrees):
    radians = math.radians(degrees)
    a, b = np.array([1.0, 0.0]), np.array([math.cos(radians), math.sin(radians)])
    assert embedding_angle(a, b) == pytest.approx(radians, rel=1e-9)
    assert embedding_angle(a, b, unit='degrees') == pytest.approx(degrees, rel=1e-9)


def test_registered_and_class_agree(sharp, degraded):
    radians = daefr_ida(degraded, sharp, backend='dlib')
    options = {'type': 'daefr_ida', 'backend': 'dlib', 'unit': 'degrees'}
    assert calculate_metric({'img': degraded, 'img2': sharp}, options) == pytest.approx(math.degrees(radians))
    metric = IDA('dlib')
    assert metric(degraded, sharp) == radians > 0
    assert metric(sharp, sharp) == 0
    assert metric.protocol.startswith('angle in radians')
    assert 'not comparable with ArcFace' in metric.protocol


def test_unknown_unit():
    with pytest.raises(InputError, match='radians, degrees'):
        embedding_angle(np.ones(2), np.ones(2), unit='grad')
