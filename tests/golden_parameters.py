"""Deterministic parameters and images behind the reference numbers of tests/golden.

The reference modules were filled by this rule, so that no weights need to be stored: every tensor is drawn from a
generator seeded by the CRC-32 of its name. `official_keys_*.json` map the names to their shapes.
"""

import json
import math
import zlib
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

FOLDER = Path(__file__).parent / 'golden'
TINY = {
    'resolution': 32,
    'ch': 32,
    'ch_mult': [1, 2],
    'num_res_blocks': 1,
    'attn_resolutions': [16],
}
TABLE_5 = {'attn_resolutions': [], 'mid_blocks': False, 'resampling': 'bilinear', 'quant_convs': False}
TINY_DAEFR = TINY | {'dim_embd': 64, 'n_head': 8, 'n_layers': 2, 'dim_mlp': 128}


def _generator(name: str) -> torch.Generator:
    return torch.Generator().manual_seed(zlib.crc32(name.encode()))


def official_parameter(key: str, shape: list[int]) -> Tensor:
    """The float32 parameter of an official key."""
    if key.endswith('logit_scale'):
        return torch.tensor(math.log(1 / 0.07))
    drawn = torch.randn(shape, generator=_generator(key))
    if 'embedding.weight' in key:
        return drawn * 0.5
    if 'position_emb' in key:
        return drawn * 0.1
    if 'norm' in key or 'idx_pred_layer.0.' in key:
        return 1 + 0.1 * drawn if key.endswith('weight') else 0.05 * drawn
    return drawn * (1.4 / math.sqrt(math.prod(shape[1:]))) if len(shape) > 1 else drawn * 0.05


def official_state_dict(name: str) -> dict[str, Tensor]:
    """The official state dict called `name`: daefr, daefr_tiny, codebook_tiny, association_tiny or discriminator."""
    shapes = json.loads((FOLDER / f'official_keys_{name}.json').read_text())
    return {key: official_parameter(key, shape) for key, shape in shapes.items()}


def image(name: str, batch: int, size: int) -> Tensor:
    """A smooth random image batch (B, 3, size, size) in [-1, 1], seeded by its name."""
    generator = _generator(name)
    coarse = torch.rand(batch, 3, 8, 8, generator=generator) * 2 - 1
    fine = torch.rand(batch, 3, size, size, generator=generator) * 2 - 1
    smooth = F.interpolate(coarse, size=(size, size), mode='bicubic', align_corners=False)
    return (0.85 * smooth + 0.15 * fine).clamp(-1, 1)


def golden() -> dict[str, np.ndarray]:
    """What the official modules computed from these parameters and images: array name -> array."""
    with np.load(FOLDER / 'official_tiny.npz') as arrays:
        return {name: arrays[name] for name in arrays.files}


def relative_error(result: Tensor, reference: np.ndarray) -> float:
    """Largest absolute difference, relative to the reference's largest value."""
    expected = torch.from_numpy(np.asarray(reference)).double()
    return float((result.detach().double() - expected).abs().max() / expected.abs().max())
