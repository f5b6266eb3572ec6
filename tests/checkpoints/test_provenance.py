"""What files say of themselves, and what is done about those that say nothing."""

import logging

import pytest
import torch
from basicsr.archs import build_network

from daefr_arch import checkpoints
from daefr_arch.checkpoints import Provenance, weights_hash
from daefr_arch.commands.cli import main
from daefr_arch.commands.exit_codes import OK
from daefr_arch.errors import WeightsError
from tests.golden_parameters import TINY, official_state_dict

OPTIONS = {'type': 'DAEFRCodebook', **TINY}


@pytest.fixture
def network():
    return build_network(OPTIONS)


def test_it_goes_through_both_formats(tmp_path, network):
    provenance = Provenance('codebook', 'lq', 12, '9.9', {'g': 'ab'}, 'vgg19')
    checkpoints.save_network(tmp_path / 'a.safetensors', network.state_dict(), OPTIONS, provenance=provenance)
    words = {'network': OPTIONS, 'provenance': provenance.as_dict()}
    checkpoints.save_durably({'params': network.state_dict(), **words}, tmp_path / 'a.pth')
    for name in ('a.safetensors', 'a.pth'):
        read = checkpoints.read_checkpoint(tmp_path / name)
        assert (read.provenance, read.options) == (provenance, OPTIONS)
        assert checkpoints.read_provenance(tmp_path / name) == provenance
        with pytest.raises(WeightsError, match=rf'HQ domain, .*{name} holds another: LQ, stage codebook, iteration 12'):
            checkpoints.load_part(tmp_path / name, 'hq_codebook', domain='hq')


def test_a_later_version_may_say_more():
    assert Provenance.read({**Provenance('codebook').as_dict(), 'colour': 'red'}) == Provenance('codebook')


@pytest.mark.parametrize('value', [5, [], {'domain': 'hq'}, {'stage': 3}, {'stage': 'a', 'started_from': [1]}])
def test_what_is_no_provenance_is_an_error(value):
    with pytest.raises(WeightsError, match='its provenance: '):
        Provenance.read(value)


def test_the_hash_is_of_the_weights_not_of_the_file(network):
    state_dict = network.state_dict()
    same = {key: state_dict[key].half() for key in reversed(state_dict)}
    assert weights_hash(same) == weights_hash(state_dict)
    state_dict['quant_conv.bias'] = state_dict['quant_conv.bias'] + 1
    assert weights_hash(same) != weights_hash(state_dict)


def test_a_file_that_does_not_say_loads_with_one_warning(tmp_path, network, caplog):
    path = tmp_path / 'old.pth'
    torch.save({'params': network.state_dict()}, path)
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            checkpoints.load_network(path)
            checkpoints.load_stage_network(network, path, 'hq_codebook', domain='hq')
    assert [record.getMessage().partition(' (')[0] for record in caplog.records] == [
        f'{path} does not say which stage or domain it is of'
    ]


@pytest.mark.parametrize('name', ['daefr-lite', 'daefr-evidence', 'daefr-harmoniser'])
def test_what_is_shipped_warns_nobody(name, caplog):
    with caplog.at_level(logging.WARNING):
        checkpoints.load_network(name, offline=True)
    assert caplog.records == []
    assert checkpoints.read_provenance(checkpoints.find(name)).iteration > 0


def test_parts_of_official_files_say_what_they_are(tmp_path, caplog):
    expected = {
        'association_tiny': {'hq_codebook': ('association', 'hq'), 'lq_codebook': ('association', 'lq')},
        'daefr_tiny': {'daefr': ('restoration', None), 'hq_codebook': ('codebook', 'hq')},
    }
    with caplog.at_level(logging.WARNING):
        for name, parts in expected.items():
            torch.save({'state_dict': official_state_dict(name)}, tmp_path / 'official.ckpt')
            assert main(['convert', str(tmp_path / 'official.ckpt'), str(tmp_path / 'net.safetensors')]) == OK
            for part, (stage, domain) in parts.items():
                provenance = checkpoints.read_provenance(tmp_path / f'net_{part}.safetensors')
                assert (provenance.stage, provenance.domain) == (stage, domain)
            checkpoints.load_part(tmp_path / 'official.ckpt', 'hq_codebook', domain='hq')
    assert caplog.records == []
