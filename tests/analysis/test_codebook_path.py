import numpy as np
import pytest
import torch

from daefr_arch.analysis.codebook_path import CodebookPath
from daefr_arch.choices import CODEBOOK_PATHS
from daefr_arch.errors import InputError
from daefr_arch.runtime.face_network import FaceNetwork
from tests.analysis.autoencoders import autoencoder
from tests.golden_parameters import image


@pytest.fixture(scope='module')
def pair():
    return autoencoder(1), autoencoder(2)


@torch.no_grad()
def test_paths_by_hand(pair):
    hq, lq = pair
    x = image('paths', 2, 32)
    for path, encoder, decoder in (('hq', hq, hq), ('lq', lq, lq), ('hybrid', lq, hq)):
        feature = encoder.quant_conv(encoder.encoder(x))
        vectors = feature.permute(0, 2, 3, 1).reshape(-1, 32)
        indices = torch.cdist(vectors, decoder.codebook.embedding.weight).argmin(1).view(2, -1)
        codes = decoder.codebook.embedding.weight[indices].view(2, 16, 16, 32).permute(0, 3, 1, 2)
        output = CodebookPath(path, hq, lq)(x)
        assert torch.equal(output.feature, feature)
        assert torch.equal(output.indices, indices)
        assert len(indices.unique()) > 8
        assert torch.equal(output.codes, codes)
        expected = decoder.decoder(decoder.post_quant_conv(codes))
        assert torch.allclose(output.reconstruction, expected, atol=1e-4)
    assert torch.equal(CodebookPath('hq', hq)(x).reconstruction, hq(x).reconstruction)
    assert torch.equal(CodebookPath('lq', lq=lq)(x).reconstruction, lq(x).reconstruction)


def test_runs_in_a_face_network(pair):
    network = CodebookPath('hybrid', *pair)
    assert (network.resolution, network.codebook_size) == (32, 64)
    faces = [np.random.default_rng(seed).integers(0, 256, (32, 32, 3), np.uint8) for seed in range(3)]
    restored = FaceNetwork(network, device='cpu', precision='fp32', batch_size=2).restore(faces)
    assert [face.shape for face in restored] == [(32, 32, 3)] * 3
    x = torch.from_numpy(faces[0][..., ::-1].copy()).permute(2, 0, 1)[None].float() / 127.5 - 1
    with torch.no_grad():
        expected = network(x, s_lq=0.5)[0][0]
    rgb = ((expected.clamp(-1, 1) + 1) * 127.5).round().permute(1, 2, 0).numpy()
    assert np.abs(restored[0][..., ::-1].astype(int) - rgb).max() <= 1


def test_what_is_missing_or_does_not_fit_is_named(pair):
    hq, lq = pair
    with pytest.raises(InputError, match="hq, lq, hybrid, got 'HQ'"):
        CodebookPath('HQ', hq, lq)
    for path, given, missing in (('hq', {'lq': lq}, 'HQ'), ('lq', {'hq': hq}, 'LQ'), ('hybrid', {'hq': hq}, 'LQ')):
        with pytest.raises(InputError, match=f'path {path!r} needs the {missing} autoencoder.* got none'):
            CodebookPath(path, **given)
    with pytest.raises(InputError, match='got Identity'):
        CodebookPath('hq', torch.nn.Identity())
    for other in ({'resolution': 64, 'attn_resolutions': [32]}, {'embed_dim': 64}, {'ch_mult': [1, 2, 2]}):
        with pytest.raises(InputError, match=r'do not fit each other: 32 px images with 32x16x16 features and'):
            CodebookPath('hybrid', autoencoder(**other), lq)
    for path in CODEBOOK_PATHS:  # the number of codes may differ
        CodebookPath(path, autoencoder(codebook_size=32), lq)
