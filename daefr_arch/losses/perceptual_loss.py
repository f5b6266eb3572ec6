"""The perceptual loss (Eq. 2)."""

import logging

from basicsr.utils.registry import LOSS_REGISTRY
from pydantic import NonNegativeFloat
from torch import Tensor, nn

from daefr_arch.errors import WeightsError
from daefr_arch.losses.perceptual_distance import Backbone, FeatureNorm, build_perceptual_distance
from daefr_arch.losses.reduction import Reduction

_logger = logging.getLogger('basicsr')  # the log of the training run


@LOSS_REGISTRY.register()
class DAEFRPerceptualLoss(nn.Module):
    """Distance of pretrained features. forward(x, target), both (B, 3, H, W) in [-1, 1], RGB -> scalar.

    Args:
        backbone: 'vgg19' (the paper), 'lpips' (VGG16, the official code), 'efficientnet_lite0' (weights from a package
            registry, no download).
        loss_weight: lambda_per.
        fallback: backbone where the weights of the first cannot be had, which is logged; None: an error then.
        feature_norm: 'unit' compares features of unit length, as LPIPS does, 'none' the features as they are (Eq. 2).
        reduction: 'mean', or 'sum' over all features of an image (Eq. 2), the mean over the batch.

    Attributes:
        backbone: the one that is used.

    Raises WeightsError where the weights cannot be had, ValueError for an unknown name and for LPIPS with other than
    the defaults.
    """

    def __init__(
        self,
        backbone: Backbone = 'vgg19',
        loss_weight: NonNegativeFloat = 1.0,
        fallback: Backbone | None = None,
        feature_norm: FeatureNorm = 'unit',
        reduction: Reduction = 'mean',
    ) -> None:
        super().__init__()
        self.loss_weight = loss_weight
        names = [name for name in (backbone, fallback) if name is not None]
        self.backbone, self.distance = _first_available(names, feature_norm, reduction)

    def train(self, mode: bool = True) -> 'DAEFRPerceptualLoss':
        """Leaves the frozen network in eval mode."""
        return super().train(False)

    def forward(self, x: Tensor, target: Tensor) -> Tensor:
        return self.loss_weight * self.distance(x, target.detach()).mean()


def _first_available(
    names: list[Backbone], feature_norm: FeatureNorm, reduction: Reduction
) -> tuple[Backbone, nn.Module]:
    """The first backbone of `names` whose weights can be had, by name."""
    problems = []
    for name in names:
        try:
            distance = build_perceptual_distance(name, feature_norm, reduction)
        except WeightsError as error:
            _logger.warning('Perceptual loss: no %s: %s', name, error)
            problems.append(f'{name}: {error}')
        else:
            _logger.info('Perceptual loss: %s features.', name)
            return name, distance
    raise WeightsError(
        f'no backbone for the perceptual loss: {"; ".join(problems)}; '
        'fallback: efficientnet_lite0 allows for one that needs no download'
    )
