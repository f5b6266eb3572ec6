"""How far two encoders agree on where a patch is: numbers of the association matrix (Sec. 3.2, Eq. 4)."""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from daefr_arch.losses.association_loss import association_matrix


class PlaceAgreement(NamedTuple):
    """Of each image (B,): the shares, in [0, 1], of HQ patches whose most similar LQ patch is at their own place and of
    LQ patches whose most similar HQ patch is; and the mean cosines on the matrix' diagonal and off it, in [-1, 1]."""

    hq_to_lq: Tensor
    lq_to_hq: Tensor
    diagonal: Tensor
    off_diagonal: Tensor


def place_agreement(matrix: Tensor) -> PlaceAgreement:
    """Numbers of association matrices (B, N, N), row = HQ patch, column = LQ patch, N > 1.

    Of several equally similar patches the first counts, as for features that are all alike: 1 / N of them agree.

    Example:
        >>> place_agreement(torch.tensor([[[0.9, 0.1], [0.8, 0.7]]])).hq_to_lq  # the second HQ patch is misled
        tensor([0.5000])
    """
    count = matrix.shape[1]
    if matrix.ndim != 3 or matrix.shape[2] != count or count < 2:
        raise ValueError(f'expected association matrices (B, N, N) with N > 1, got {tuple(matrix.shape)}')
    places = torch.arange(count, device=matrix.device)
    diagonal = matrix.diagonal(dim1=1, dim2=2).sum(1)
    return PlaceAgreement(
        hq_to_lq=(matrix.argmax(2) == places).float().mean(1),
        lq_to_hq=(matrix.argmax(1) == places).float().mean(1),
        diagonal=diagonal / count,
        off_diagonal=(matrix.sum((1, 2)) - diagonal) / (count * (count - 1)),
    )


@dataclass(frozen=True)
class PairSimilarity:
    """A pair of encoders over all images.

    Attributes:
        matrix: mean association matrix (N, N), float32 on the CPU.
        agreement: of every image, (B,) each, in the order of the images.
    """

    matrix: Tensor
    agreement: PlaceAgreement


class SimilarityRecord:
    """Takes the features of both encoders, batch by batch, and sums them up; one matrix is held, not one an image."""

    def __init__(self) -> None:
        self._sum: Tensor | None = None
        self._agreements: list[PlaceAgreement] = []

    @torch.no_grad()
    def add(self, hq_feature: Tensor, lq_feature: Tensor) -> None:
        """Takes features (B, d, r, r): the HQ encoder's of clean faces, the LQ encoder's of the same faces degraded."""
        matrix = association_matrix(hq_feature.float(), lq_feature.float())
        total = matrix.double().sum(0).cpu()
        self._sum = total if self._sum is None else self._sum + total
        self._agreements.append(PlaceAgreement(*(values.cpu() for values in place_agreement(matrix))))

    def summary(self) -> PairSimilarity:
        """The numbers so far, of one image at least."""
        if self._sum is None:
            raise ValueError('no features were added')
        agreement = PlaceAgreement(*(torch.cat(values) for values in zip(*self._agreements, strict=True)))
        return PairSimilarity((self._sum / len(agreement.diagonal)).float(), agreement)
