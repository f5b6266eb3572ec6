"""Fréchet inception distance of a set of images."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
import torch
from basicsr.utils.registry import METRIC_REGISTRY
from torch import nn

from daefr_arch.checkpoints import foreign_file, locate, read_checkpoint
from daefr_arch.compat import inception_weights
from daefr_arch.errors import InputError
from daefr_arch.io.image_file import read_image
from daefr_arch.io.image_listing import list_images
from daefr_arch.io.photo import as_uint8
from daefr_arch.io.tensors import to_tensor
from daefr_arch.metrics.feature_statistics import FeatureStatistics, frechet_distance
from daefr_arch.metrics.images import check_image
from daefr_arch.metrics.metric import SetMetric

FFHQ, GROUND_TRUTH = 'ffhq', 'ground-truth'


@cache
def build_inception(*, weights: str | Path | None = None, device: str = 'cpu') -> nn.Module:
    """The FID network, TensorFlow's InceptionV3 by BasicSR: RGB (B, 3, H, W) in [-1, 1] -> [(B, 2048, 1, 1)].

    It resizes to 299x299 (bilinear, without antialiasing), as for the statistics that BasicSR publishes.

    Raises:
        MissingWeightsError: pt_inception-2015-12-05-6726825d.pth is not at hand.
        WeightsError: the file is damaged or of another network.
    """
    from basicsr.archs.inception import InceptionV3

    path = locate('inception', weights)
    state_dict = read_checkpoint(path).state_dict
    with foreign_file(path, 'the weights of the FID InceptionV3'), inception_weights(state_dict):
        network = InceptionV3([3], resize_input=True, normalize_input=False)
    return network.eval().to(device)


class FID(SetMetric):
    """FID (Heusel et al., NeurIPS 2017) of results against reference images.

    Args:
        reference: 'ffhq' (BasicSR's inception_FFHQ_512-f7b384ab.pth, as in the paper), 'ground-truth', a folder of
            images, or a file of statistics (.pth with mean and cov, .npz with mu and sigma).
        weights: File of InceptionV3, in place of the manifest's.
        device: Where to compute.
    """

    name, title = 'fid', 'FID'

    def __init__(self, reference: str | Path = FFHQ, *, weights: str | Path | None = None, device: str = 'cpu') -> None:
        self.network = build_inception(weights=weights, device=device)
        self.device = device
        self.needs_ground_truth = str(reference) == GROUND_TRUTH
        self.reference = None if self.needs_ground_truth else self._statistics(reference)
        self.protocol = (
            f'InceptionV3 pool3 (2048), RGB in [-1, 1], bilinear to 299x299, against {reference}; '
            'biased upwards for fewer than some 10,000 images'
        )
        self.reset()

    def _statistics(self, reference: str | Path) -> FeatureStatistics:
        path = locate('inception_ffhq_512') if reference == FFHQ else Path(reference)
        if path.is_dir():
            return FeatureStatistics.of(
                [self.features(as_uint8(read_image(p, whole=True).pixels)) for p in list_images(path)]
            )
        return FeatureStatistics.read(path)

    @torch.inference_mode()
    def features(self, img: np.ndarray) -> np.ndarray:
        """BGR uint8 (H, W, 3) -> (2048,)."""
        return self.network(to_tensor(check_image(img, 'FID')).to(self.device))[0].flatten().cpu().numpy()

    def reset(self) -> None:
        """Forgets the images, not the reference."""
        self._features: list[np.ndarray] = []
        self._truths: list[np.ndarray] = []

    def update(self, img: np.ndarray, img2: np.ndarray | None = None) -> None:
        """Takes in one result, and its ground truth if those are the reference; BGR uint8 (H, W, 3)."""
        self._features.append(self.features(img))
        if self.needs_ground_truth:
            self._truths.append(self.features(check_image(img2, 'FID against ground truth')))

    def compute(self) -> float:
        """The distance, from 0 up."""
        reference = self.reference or FeatureStatistics.of(self._truths)
        return frechet_distance(FeatureStatistics.of(self._features), reference)


@METRIC_REGISTRY.register()
def daefr_fid(
    img: Sequence[np.ndarray],
    img2: Sequence[np.ndarray],
    *,
    weights: str | Path | None = None,
    device: str = 'cpu',
) -> float:
    """FID of a set of images against another, each a list of BGR uint8 (H, W, 3); from 0 up.

    Raises:
        InputError: single images, as BasicSR's validation hands them over: FID is a number of whole sets.
        MissingWeightsError: the network's weights are not at hand; the message names the file.

    Example:
        >>> daefr_fid(results, truths)  # doctest: +SKIP
        52.06
    """
    if isinstance(img, np.ndarray):
        raise InputError('FID is a number of whole sets, not of single images: use `daefr evaluate --metrics fid`')
    metric = FID(GROUND_TRUTH, weights=weights, device=device)
    results, truths = (FeatureStatistics.of([metric.features(one) for one in images]) for images in (img, img2))
    return frechet_distance(results, truths)
