"""Peers with random weights of spandrel's own networks: the adapters do what the peers' documentation says."""

import cv2
import numpy as np
import pytest
import torch
from spandrel.architectures.GFPGAN import GFPGAN
from spandrel.architectures.RestoreFormer import RestoreFormer
from spandrel_extra_arches.architectures.CodeFormer import CodeFormer
from torch import nn

from daefr_arch.comparison.method import Method, load_method_network
from daefr_arch.comparison.peer_network import PeerNetwork
from daefr_arch.errors import InputError, WeightsError
from daefr_arch.runtime.face_network import FaceNetwork
from tests.faces.photos import astronaut

FACE = astronaut()


def documented(network, call):
    """BGR uint8 -> RGB in [-1, 1] -> network -> clamp -> BGR uint8, as inference_codeformer.py and GFPGANer do it."""
    rgb = cv2.cvtColor(FACE, cv2.COLOR_BGR2RGB).astype(np.float32) / 255.0
    x = (torch.from_numpy(rgb.transpose(2, 0, 1)) - 0.5) / 0.5
    with torch.inference_mode():
        output = call(network, x.unsqueeze(0))
    output = ((output[0].clamp(-1, 1) + 1) / 2).numpy().transpose(1, 2, 0)
    return cv2.cvtColor((output * 255.0).round().astype(np.uint8), cv2.COLOR_RGB2BGR)


def codeformer():
    network = CodeFormer(dim_embd=64, n_layers=1, codebook_size=16)
    for name, parameter in network.named_parameters():
        if name.startswith('fuse_convs_dict'):  # so that the fidelity shows
            torch.nn.init.normal_(parameter, std=0.02)
    return network


def gfpgan():
    network = GFPGAN()
    for name, parameter in network.named_parameters():
        if name.endswith('conv1.weight') and parameter.numel() == 1:
            parameter.data.fill_(0.1)  # strength of StyleGAN2's noise
    return network


def restoreformer():
    return RestoreFormer(ch=32, ch_mult=(1, 1, 1, 1, 1, 2), num_res_blocks=1, n_embed=16)


def seeded_gfpgan(network, x):
    torch.manual_seed(0)
    return network(x, return_rgb=False)[0]


@pytest.mark.parametrize(
    ('build', 'call', 'wrap'),
    [
        (codeformer, lambda network, x: network(x, weight=0.3)[0], lambda state: {'params_ema': state}),
        (gfpgan, seeded_gfpgan, lambda state: {'params_ema': state}),
        (restoreformer, lambda network, x: network(x)[0], lambda state: {'params': state}),
    ],
)
def test_result_is_the_documented_one(tmp_path, build, call, wrap):
    torch.manual_seed(1)
    network = build().eval()
    torch.save(wrap(network.state_dict()), tmp_path / 'peer.pth')
    loaded = load_method_network(Method('peer', str(tmp_path / 'peer.pth')), fidelity=0.3)
    (tmp_path / 'peer.pth').unlink()
    expected = documented(network, call)
    (restored,) = FaceNetwork(loaded, device='cpu', precision='fp32').restore([FACE])
    assert expected.std() > 5  # not all clamped, not constant
    np.testing.assert_allclose(restored.astype(int), expected.astype(int), atol=1)  # of memory formats
    assert (restored == expected).mean() > 0.99


class Recorder(nn.Module):
    """Stands for CodeFormer: notes the weight that it is called with."""

    def forward(self, x, weight):
        self.weight = weight
        return x, torch.zeros(len(x), 1, 1)


def test_fidelity_is_codeformers_w():
    recorder = Recorder()
    PeerNetwork('CodeFormer', recorder)(torch.zeros(1, 3, 1, 1))
    assert recorder.weight == 0.5
    PeerNetwork('CodeFormer', recorder, fidelity=1)(torch.zeros(1, 3, 1, 1))
    assert recorder.weight == 1
    with pytest.raises(InputError, match='between 0 and 1, got 2'):
        PeerNetwork('CodeFormer', recorder, fidelity=2)


def test_codes_of_logits_that_are_not_finite_are_no_result():
    class Striped(nn.Module):
        """Stands for a CodeFormer that failed before its codebook, in the second face."""

        def forward(self, x, weight):
            return torch.zeros_like(x), torch.tensor([[0.0], [torch.nan]])

    (restored,) = PeerNetwork('CodeFormer', Striped())(torch.zeros(2, 3, 8, 8))
    assert restored.isnan().flatten(1).all(1).tolist() == [False, True]


def test_restoreformers_own_checkpoint_wraps_the_network(tmp_path):
    state = restoreformer().state_dict()
    wrapped = {f'vqvae.{key}': value for key, value in state.items()} | {'loss.logvar': torch.zeros(())}
    torch.save({'state_dict': wrapped}, tmp_path / 'RestoreFormer.ckpt')
    loaded = load_method_network(Method('rf', str(tmp_path / 'RestoreFormer.ckpt')))
    assert loaded.architecture == 'RestoreFormer'
    assert torch.equal(loaded.network.state_dict()['quant_conv.weight'], state['quant_conv.weight'])


def test_other_weights_are_errors(tmp_path):
    torch.save({'params': {'conv.weight': torch.zeros(3)}}, tmp_path / 'other.pth')
    with pytest.raises(WeightsError, match='expected weights of DAEFR, CodeFormer, GFPGAN, RestoreFormer, got 1 tens'):
        load_method_network(Method('x', str(tmp_path / 'other.pth')))
    state = restoreformer().state_dict()
    state['quant_conv.bias'] = torch.zeros(3)
    torch.save({'params': state}, tmp_path / 'broken.pth')
    with pytest.raises(WeightsError, match='expected weights that fit RestoreFormer'):
        load_method_network(Method('x', str(tmp_path / 'broken.pth')))
