"""Statistics of a codebook, and updates of it beyond the gradient: k-means, moving averages, restart of dead codes.

All updates are options that are off in the paper and in the official code. In a distributed run every process makes the
same update, from the features of all processes.
"""

from typing import NamedTuple

import torch
from pydantic import NonNegativeFloat, NonNegativeInt
from torch import Tensor, nn
from torch import distributed as dist

from daefr_arch.archs.quantizer import VectorQuantizer
from daefr_arch.models.distributed import sum_over_ranks, world_size
from daefr_arch.options.kinds import Decay

USAGE_DECAY = 0.99  # of the running use of each code where no moving average of the codes is asked for


class CodebookStatistics(NamedTuple):
    """Scalars of a batch: use, the share of codes that occur; perplexity, exp of the entropy of their frequencies."""

    use: Tensor
    perplexity: Tensor


def code_counts(indices: Tensor, codebook_size: int) -> Tensor:
    """How often each code occurs in the indices of all processes: (N,) float32."""
    ones = torch.ones(indices.numel(), device=indices.device)
    # torch.bincount would keep the program waiting for the GPU
    return sum_over_ranks(ones.new_zeros(codebook_size).index_add_(0, indices.flatten(), ones))


def codebook_statistics(counts: Tensor) -> CodebookStatistics:
    """Statistics of the counts (N,) of a batch."""
    frequency = counts / counts.sum()
    return CodebookStatistics((counts > 0).float().mean(), torch.special.entr(frequency).sum().exp())


class CodebookUpdates(nn.Module):
    """Updates the codes of a quantiser in place, from the features that it quantised.

    Its state dict is part of the training state: a resumed run goes on with the same averages.

    Args:
        codebook: the quantiser.
        kmeans_iterations: Lloyd iterations on the first batch's features that start the codebook; 0 = off.
        moving_average: decay of the moving averages that replace the codebook's gradient; 0 = off.
        restart_below: a code whose running count a batch falls below it is replaced by a feature of the batch; 0 = off.
    """

    cluster_size: Tensor
    cluster_sum: Tensor
    started: Tensor

    def __init__(
        self,
        codebook: VectorQuantizer,
        kmeans_iterations: NonNegativeInt = 0,
        moving_average: Decay = 0.0,
        restart_below: NonNegativeFloat = 0.0,
    ) -> None:
        super().__init__()
        self.weight = [codebook.embedding.weight]  # a list, so that the codes are not part of this module's state
        self.kmeans_iterations = kmeans_iterations
        self.moving_average = moving_average
        self.restart_below = restart_below
        weight = codebook.embedding.weight.detach()
        self.register_buffer('cluster_size', torch.ones(len(weight), device=weight.device))
        self.register_buffer('cluster_sum', weight.clone())
        self.register_buffer('started', torch.tensor(False, device=weight.device))
        if moving_average:
            codebook.embedding.weight.requires_grad_(False)

    @property
    def must_start(self) -> bool:
        """Whether the codebook still waits for its start by k-means."""
        return bool(self.kmeans_iterations) and not bool(self.started)

    @torch.no_grad()
    def start(self, feature: Tensor) -> None:
        """Starts the codebook by k-means on the features (B, d, h, w) of the first batch."""
        vectors = _vectors(feature)
        codes = _draw(vectors, len(self.cluster_size))
        for _ in range(self.kmeans_iterations):
            counts, sums = _cluster(vectors, torch.cdist(vectors, codes).argmin(1), len(codes))
            codes = torch.where(counts[:, None] > 0, sums / counts.clamp(min=1)[:, None], codes)
        self.weight[0].copy_(codes)
        self.cluster_sum.copy_(codes)
        self.started.fill_(True)

    @torch.no_grad()
    def update(self, feature: Tensor, indices: Tensor) -> None:
        """Takes the features (B, d, h, w) of a step and the codes (B, h * w) they were given."""
        if not (self.moving_average or self.restart_below):
            return
        vectors = _vectors(feature)
        counts, sums = _cluster(vectors, indices.flatten(), len(self.cluster_size))
        decay = self.moving_average or USAGE_DECAY
        self.cluster_size.lerp_(counts, 1 - decay)
        if self.moving_average:
            self.cluster_sum.lerp_(sums, 1 - decay)
            self.weight[0].copy_(self.cluster_sum / self.cluster_size.clamp(min=1e-5)[:, None])
        if self.restart_below:
            self._restart(vectors)

    def _restart(self, vectors: Tensor) -> None:
        """Gives the dead codes the place of random features, and one count so that they live for a while."""
        dead = self.cluster_size < self.restart_below
        if not dead.any():
            return
        drawn = _draw(vectors, len(self.cluster_size))
        self.weight[0].copy_(torch.where(dead[:, None], drawn, self.weight[0]))
        self.cluster_sum.copy_(torch.where(dead[:, None], drawn, self.cluster_sum))
        self.cluster_size.masked_fill_(dead, 1.0)


def _vectors(feature: Tensor) -> Tensor:
    """(B, d, h, w) -> (B * h * w, d) float32."""
    return feature.detach().permute(0, 2, 3, 1).flatten(0, 2).float()


def _cluster(vectors: Tensor, indices: Tensor, codebook_size: int) -> tuple[Tensor, Tensor]:
    """Counts (N,) and sums (N, d) of the vectors of each code, over all processes."""
    sums = vectors.new_zeros(codebook_size, vectors.shape[1]).index_add_(0, indices, vectors)
    return code_counts(indices, codebook_size), sum_over_ranks(sums)


def _draw(vectors: Tensor, count: int) -> Tensor:
    """`count` vectors of the first process, (count, d), the same in every process; repeated if there are too few."""
    order = torch.randperm(len(vectors), device=vectors.device)
    drawn = vectors[order.repeat(-(-count // len(order)))[:count]].contiguous()
    if world_size() > 1:
        dist.broadcast(drawn, 0)
    return drawn
