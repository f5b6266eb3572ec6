"""The association loss of the two encoders' patch features (Sec. 3.2, Eq. 4)."""

import math
from typing import Literal

import torch
from basicsr.utils.registry import LOSS_REGISTRY
from pydantic import NonNegativeFloat, PositiveFloat
from torch import Tensor, nn
from torch.nn import functional as F

from daefr_arch.archs.layers import to_tokens
from daefr_arch.losses.precision import at_least_float32

FORMS = ('cross_entropy', 'l1', 'l2')
SCOPES = ('image', 'batch')
MAX_SCALE = 100.0  # of learned logits, as in CLIP


def association_matrix(hq_feature: Tensor, lq_feature: Tensor, scope: str = 'image') -> Tensor:
    """Cosine similarity M_assoc of the patch features (B, d, h, w) of both encoders, in [-1, 1].

    scope 'image': (B, N, N), N = h * w, row = HQ patch and column = LQ patch of the same image, row-major;
    'batch': (1, B * N, B * N), all patches of the batch.
    """
    hq_patches = F.normalize(to_tokens(hq_feature), dim=2)
    lq_patches = F.normalize(to_tokens(lq_feature), dim=2)
    if scope == 'batch':
        hq_patches, lq_patches = hq_patches.flatten(0, 1)[None], lq_patches.flatten(0, 1)[None]
    return hq_patches @ lq_patches.transpose(1, 2)


def association_cross_entropy(matrix: Tensor, scale: Tensor | float) -> Tensor:
    """(CE_H + CE_L) / 2 of Eq. 4 and 5 for matrices (B, N, N): each patch must find its own place in the other domain.

    The probabilities are softmax(scale * cosine) along either axis. Returns a scalar.
    """
    logits = matrix * scale
    target = torch.arange(logits.shape[1], device=logits.device).expand(logits.shape[:2])
    return (F.cross_entropy(logits.transpose(1, 2), target) + F.cross_entropy(logits, target)) / 2


@LOSS_REGISTRY.register()
class DAEFRAssociationLoss(nn.Module):
    """Associates the features of the two encoders. forward(hq_feature, lq_feature), both (B, d, h, w) -> scalar.

    Args:
        form: 'cross_entropy' (Eq. 4), or the alternatives 'l1' and 'l2' of Table 6 on the features themselves.
        scope: 'image' (the N patches of an image, the paper) or 'batch' (all patches of the batch on this device, the
            official code); of the cross entropy only.
        temperature: the logits are the cosines divided by it (0.07 in the official code, not stated in the paper).
        learn_temperature: trains the temperature, starting there; the optimiser needs this module's parameters then.
        loss_weight: factor of the loss.

    Raises ValueError for an unknown form or scope or a temperature that is not positive.
    """

    def __init__(
        self,
        form: Literal['cross_entropy', 'l1', 'l2'] = 'cross_entropy',
        scope: Literal['image', 'batch'] = 'image',
        temperature: PositiveFloat = 0.07,
        learn_temperature: bool = False,
        loss_weight: NonNegativeFloat = 1.0,
    ) -> None:
        super().__init__()
        if form not in FORMS:
            raise ValueError(f'expected form to be one of {FORMS}, got {form!r}')
        if scope not in SCOPES:
            raise ValueError(f'expected scope to be one of {SCOPES}, got {scope!r}')
        if temperature <= 0:
            raise ValueError(f'expected a temperature above 0, got {temperature}')
        self.form = form
        self.scope = scope
        self.loss_weight = loss_weight
        self.log_scale = nn.Parameter(torch.tensor(-math.log(temperature)), requires_grad=learn_temperature)

    def forward(self, hq_feature: Tensor, lq_feature: Tensor) -> Tensor:
        if hq_feature.shape != lq_feature.shape:
            raise ValueError(f'expected features of one shape, got {hq_feature.shape} and {lq_feature.shape}')
        with torch.autocast(hq_feature.device.type, enabled=False):  # cosines and softmax stay float32
            hq_feature, lq_feature = at_least_float32(hq_feature), at_least_float32(lq_feature)
            if self.form == 'l1':
                return self.loss_weight * F.l1_loss(lq_feature, hq_feature)
            if self.form == 'l2':
                return self.loss_weight * F.mse_loss(lq_feature, hq_feature)
            scale = self.log_scale.exp().clamp(max=MAX_SCALE)
            matrix = association_matrix(hq_feature, lq_feature, self.scope)
            return self.loss_weight * association_cross_entropy(matrix, scale)
