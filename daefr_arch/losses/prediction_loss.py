"""The losses of fusion and code prediction (Sec. 3.3, Eq. 6 and 7)."""

from typing import NamedTuple

from basicsr.utils.registry import LOSS_REGISTRY
from pydantic import NonNegativeFloat
from torch import Tensor, nn
from torch.nn import functional as F

from daefr_arch.losses.precision import at_least_float32
from daefr_arch.losses.reduction import Reduction, check_reduction, divisor
from daefr_arch.options.kinds import Share


class PredictionLosses(NamedTuple):
    """Scalars, weighted: L_feat and L_index of Eq. 6."""

    feature: Tensor
    code_index: Tensor


@LOSS_REGISTRY.register()
class DAEFRPredictionLoss(nn.Module):
    """Squared distance of the fused feature to the HQ codes, and cross entropy of the predicted code indices.

    forward(logits (B, N, K), fused_feature (B, d, h, w), target_indices (B, N), target_codes (B, d, h, w)) ->
    PredictionLosses. The targets get no gradient.

    Args:
        feature_weight: lambda_feat of Eq. 7.
        index_weight: weight of the cross entropy.
        label_smoothing: of the cross entropy; 0 in the paper.
        reduction: 'mean' over all values and places, or 'sum' over those of each image (Eq. 6), the mean of the batch.
            With sums the feature weighs d times more against the index: there are d values a place.

    Raises ValueError for an unknown reduction.
    """

    def __init__(
        self,
        feature_weight: NonNegativeFloat = 10.0,
        index_weight: NonNegativeFloat = 1.0,
        label_smoothing: Share = 0.0,
        reduction: Reduction = 'mean',
    ) -> None:
        super().__init__()
        check_reduction(reduction)
        self.reduction = reduction
        self.feature_weight = feature_weight
        self.index_weight = index_weight
        self.label_smoothing = label_smoothing

    def forward(
        self, logits: Tensor, fused_feature: Tensor, target_indices: Tensor, target_codes: Tensor
    ) -> PredictionLosses:
        feature = F.mse_loss(
            at_least_float32(fused_feature), at_least_float32(target_codes.detach()), reduction=self.reduction
        )
        index = F.cross_entropy(
            at_least_float32(logits).flatten(0, 1),
            target_indices.flatten(),
            label_smoothing=self.label_smoothing,
            reduction=self.reduction,
        )
        images = divisor(logits, self.reduction)
        return PredictionLosses(self.feature_weight * feature / images, self.index_weight * index / images)
