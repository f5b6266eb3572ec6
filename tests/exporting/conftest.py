import pytest

from daefr_arch.exporting.export import daefr_to_onnx
from tests.exporting.networks import random_daefr


@pytest.fixture(scope='session')
def network():
    return random_daefr(lq_control=True)


@pytest.fixture(scope='session')
def model(network):
    """What `network` is exported to; change copies of it only."""
    return daefr_to_onnx(network, {'licence': 'of a test'})
