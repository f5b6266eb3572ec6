"""The code loss of the codebook stages (Eq. 2)."""

from typing import Literal

from basicsr.utils.registry import LOSS_REGISTRY
from pydantic import NonNegativeFloat
from torch import Tensor, nn
from torch.nn import functional as F

from daefr_arch.losses.precision import at_least_float32
from daefr_arch.losses.reduction import Reduction, check_reduction, divisor

FORMS = ('paper', 'official')


@LOSS_REGISTRY.register()
class DAEFRCodeLoss(nn.Module):
    """|sg(Z) - Z^c|^2 and |Z - sg(Z^c)|^2, the codebook term and the commitment term.

    forward(feature, codes), both (B, d, h, w) -> scalar. `codes` must carry the codebook's own gradient
    (`CodebookOutput.codes`), not the straight-through one.

    Args:
        beta: weight of the one term that `form` names; the other has weight 1.
        form: 'paper' (beta weighs the commitment term, Eq. 2) or 'official' (beta weighs the codebook term).
        codebook_term: False leaves the codebook term out, for a codebook that moving averages update.
        loss_weight: factor of the whole loss.
        reduction: 'mean' over all values, or 'sum' over those of each image (Eq. 2), the mean over the batch.

    Raises ValueError for an unknown form or reduction.
    """

    def __init__(
        self,
        beta: NonNegativeFloat = 0.25,
        form: Literal['paper', 'official'] = 'paper',
        codebook_term: bool = True,
        loss_weight: NonNegativeFloat = 1.0,
        reduction: Reduction = 'mean',
    ) -> None:
        super().__init__()
        if form not in FORMS:
            raise ValueError(f'expected form to be one of {FORMS}, got {form!r}')
        check_reduction(reduction)
        self.reduction = reduction
        codebook_weight, commitment_weight = (1.0, beta) if form == 'paper' else (beta, 1.0)
        self.codebook_weight = loss_weight * codebook_weight * codebook_term
        self.commitment_weight = loss_weight * commitment_weight

    def forward(self, feature: Tensor, codes: Tensor) -> Tensor:
        feature, codes = at_least_float32(feature), at_least_float32(codes)
        loss = self.commitment_weight * self._distance(feature, codes.detach())
        if self.codebook_weight:
            loss = loss + self.codebook_weight * self._distance(codes, feature.detach())
        return loss

    def _distance(self, x: Tensor, y: Tensor) -> Tensor:
        return F.mse_loss(x, y, reduction=self.reduction) / divisor(x, self.reduction)
