import pytest
import torch

from daefr_arch.checkpoints import check_checksums, check_saved_networks, load_training_state, read_checkpoint
from daefr_arch.errors import WeightsError


def flip_bit(path, share=0.5):
    """Changes one bit of a file."""
    data = bytearray(path.read_bytes())
    data[int(len(data) * share)] ^= 4
    path.write_bytes(data)


@pytest.fixture
def network(tmp_path):
    path = tmp_path / 'net_g_5.pth'
    torch.save({'params': {'weight': torch.arange(1000.0)}}, path)
    return path


def test_a_flipped_bit_is_named_that_pytorch_does_not_see(network):
    check_checksums(network)
    flip_bit(network)
    assert not torch.equal(torch.load(network, weights_only=True)['params']['weight'], torch.arange(1000.0))
    for read in (check_checksums, read_checkpoint):
        with pytest.raises(WeightsError, match=r'net_g_5\.pth is damaged: the checksum of its part .*data/0'):
            read(network)


def test_files_of_another_kind_have_no_checksums(tmp_path):
    old = tmp_path / 'old.pth'
    torch.save({'weight': torch.ones(3)}, old, _use_new_zipfile_serialization=False)
    check_checksums(old)
    assert read_checkpoint(old).state_dict['weight'].tolist() == [1, 1, 1]


def test_a_state_with_a_flipped_bit(tmp_path):
    path = tmp_path / '5.state'
    torch.save({'iter': 5, 'moments': torch.ones(1000)}, path)
    assert load_training_state(path, ('iter',))['iter'] == 5
    flip_bit(path)
    with pytest.raises(WeightsError, match=r'5\.state is damaged: the checksum'):
        load_training_state(path, ('iter',))


def test_the_networks_of_a_state(network):
    folder = network.parent
    check_saved_networks(folder, 5, ['g'])
    check_saved_networks(folder, 5, None)
    with pytest.raises(WeightsError, match=r'net_d_5\.pth is missing'):
        check_saved_networks(folder, 5, ['g', 'd'])
    check_saved_networks(folder, 5, ['g', 'd'], ignored=['network_d'])
    flip_bit(network)
    for labels in (['g'], None):
        with pytest.raises(WeightsError, match=r'net_g_5\.pth is damaged'):
            check_saved_networks(folder, 5, labels)
    network.write_bytes(network.read_bytes()[:100])
    with pytest.raises(WeightsError, match=r'net_g_5\.pth is cut off'):
        check_saved_networks(folder, 5, None)
