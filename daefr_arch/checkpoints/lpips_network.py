"""The network of LPIPS, which a metric and a loss share, with weights that are looked up instead of downloaded."""

from pathlib import Path

from torch import nn

from daefr_arch.checkpoints.checkpoint import read_checkpoint
from daefr_arch.checkpoints.weight_files import EXTRA, MissingWeightsError, fill

# the backbone of each -> its ImageNet weights in the manifest; the linear heads come with the package lpips
LPIPS_BACKBONES = {'vgg': 'vgg16', 'alex': 'alexnet'}


def load_lpips(net: str, path: Path) -> nn.Module:
    """LPIPS v0.1 (Zhang et al., CVPR 2018) of the package lpips, frozen; the caller owns it.

    Args:
        net: a key of LPIPS_BACKBONES.
        path: torchvision's weights of the backbone.

    Raises:
        MissingWeightsError: the package is not installed.
        WeightsError: the file is damaged or of another network.
    """
    try:
        from lpips import LPIPS as Network
    except ImportError as error:
        raise MissingWeightsError(f'LPIPS needs the package lpips: {EXTRA}') from error
    state = read_checkpoint(path).state_dict
    network = Network(net=net, pnet_rand=True, verbose=False)  # pnet_rand: lpips would download the backbone
    for part in network.net.children():
        for index, layer in part.named_children():
            if isinstance(layer, nn.Conv2d):
                prefix = f'features.{index}.'
                weights = {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}
                fill(layer, weights, f'{path}, {LPIPS_BACKBONES[net]}')
    return network.requires_grad_(False).eval()
