"""Learned perceptual image patch similarity."""

from functools import cache
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from basicsr.utils.registry import METRIC_REGISTRY
from torch import nn

from daefr_arch.checkpoints import LPIPS_BACKBONES, load_lpips, locate
from daefr_arch.errors import InputError
from daefr_arch.io.tensors import to_tensor
from daefr_arch.metrics.images import check_pair
from daefr_arch.metrics.metric import ImageMetric


@cache
def build_lpips(net: str = 'vgg', *, weights: str | Path | None = None, device: str = 'cpu') -> nn.Module:
    """LPIPS v0.1 (Zhang et al., CVPR 2018) of the package lpips: RGB (B, 3, H, W) in [-1, 1], twice -> (B, 1, 1, 1).

    Args:
        net: 'vgg' or 'alex'.
        weights: torchvision's file of the backbone, in place of the manifest's.
        device: Where to compute.

    Raises:
        InputError: an unknown backbone.
        MissingWeightsError: the package or the backbone's weights are not at hand.
        WeightsError: the file is damaged or of another network.
    """
    if net not in LPIPS_BACKBONES:
        raise InputError(f'LPIPS backbone: expected one of {", ".join(LPIPS_BACKBONES)}, got {net!r}')
    return load_lpips(net, locate(LPIPS_BACKBONES[net], weights)).to(device)


class LPIPS(ImageMetric):
    """LPIPS of whole images.

    Args:
        net: 'vgg' (as GFPGAN, VQFR and CodeFormer report it) or 'alex'.
        weights: File of the backbone, in place of the manifest's.
        device: Where to compute.
    """

    name, title = 'lpips', 'LPIPS'

    def __init__(self, net: str = 'vgg', *, weights: str | Path | None = None, device: str = 'cpu') -> None:
        self.network = build_lpips(net, weights=weights, device=device)
        self.device = device
        self.protocol = f'lpips v0.1, {LPIPS_BACKBONES[net]}, RGB in [-1, 1], whole image'

    @torch.inference_mode()
    def __call__(self, img: np.ndarray, img2: np.ndarray | None = None) -> float:
        img, img2 = check_pair(img, img2, 'LPIPS')
        return self.network(to_tensor(img).to(self.device), to_tensor(img2).to(self.device)).item()


@METRIC_REGISTRY.register()
def daefr_lpips(
    img: np.ndarray,
    img2: np.ndarray | None,
    *,
    net: Literal['vgg', 'alex'] = 'vgg',
    weights: str | Path | None = None,
    device: str = 'cpu',
) -> float:
    """`LPIPS` of one pair, BGR uint8 (H, W, 3); from 0 up, 0 for equal images.

    Raises:
        InputError: the images do not fit, or an unknown backbone.
        MissingWeightsError: the backbone's weights are not at hand; the message names the file.

    Example:
        >>> daefr_lpips(result, truth, net='alex')  # doctest: +SKIP
        0.2214
    """
    return LPIPS(net, weights=weights, device=device)(img, img2)
