"""Small autoencoders whose codes are used, without training."""

import torch
from basicsr.archs import build_network

from daefr_arch.archs.codebook_arch import DAEFRCodebook
from tests.golden_parameters import TINY, image

SMALL = {**TINY, 'z_channels': 32, 'embed_dim': 32, 'codebook_size': 64}


@torch.no_grad()
def autoencoder(seed: int = 0, **options) -> DAEFRCodebook:
    """A DAEFRCodebook of SMALL's sizes; its codes are features of random images: as drawn, one would take them all."""
    torch.manual_seed(seed)
    net = build_network({'type': 'DAEFRCodebook', **SMALL, **options}).eval()
    vectors = net.encode(image('codes', 4, net.resolution)).permute(0, 2, 3, 1).flatten(0, 2)
    weight = net.codebook.embedding.weight
    weight.copy_(vectors[torch.randperm(len(vectors))[: len(weight)]])
    return net
