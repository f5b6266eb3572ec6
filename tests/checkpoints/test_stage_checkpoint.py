"""What a stage starts from: BasicSR's param_key and strict_load."""

import pytest
import torch
from torch import nn

from daefr_arch.checkpoints import load_stage_network
from daefr_arch.errors import WeightsError


def _weights(value, **more):
    return {'weight': torch.full((1, 2), value), 'bias': torch.full((1,), value), **more}


@pytest.fixture
def file(tmp_path):
    path = tmp_path / 'net.pth'
    torch.save({'params': _weights(1.0), 'params_ema': _weights(2.0)}, path)
    return path


@pytest.mark.parametrize(('key', 'value'), [(None, 2.0), ('params_ema', 2.0), ('params', 1.0)])
def test_the_key_chooses_the_weights(file, key, value):
    net = nn.Linear(2, 1)
    load_stage_network(net, file, 'daefr', param_key=key)
    assert net.weight.tolist() == [[value, value]]


def test_without_an_average_the_weights_are_taken(tmp_path):
    torch.save({'params': _weights(1.0)}, tmp_path / 'net.pth')
    net = nn.Linear(2, 1)
    load_stage_network(net, tmp_path / 'net.pth', 'daefr', param_key='params_ema')
    assert net.bias.item() == 1


def test_what_fits_is_taken_where_loading_is_not_strict(tmp_path, caplog):
    torch.save({'params': _weights(3.0, bias=torch.ones(4), more=torch.ones(1))}, tmp_path / 'net.pth')
    net = nn.Linear(2, 1)
    bias = net.bias.item()
    with pytest.raises(WeightsError, match='is not a checkpoint of Linear'):
        load_stage_network(net, tmp_path / 'net.pth', 'daefr')
    load_stage_network(net, tmp_path / 'net.pth', 'daefr', strict=False)
    assert net.weight.tolist() == [[3, 3]]
    assert net.bias.item() == bias
    assert '1 of 2 weights taken' in caplog.text
    torch.save({'params': {'other': torch.ones(1)}}, tmp_path / 'net.pth')
    with pytest.raises(WeightsError, match='has no weight of Linear'):
        load_stage_network(net, tmp_path / 'net.pth', 'daefr', strict=False)
