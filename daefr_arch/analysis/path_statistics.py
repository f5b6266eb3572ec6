"""What is measured of a path of Fig. 6: how its codebook is used, and how near its images come to their inputs."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from daefr_arch.archs.codebook_arch import CodebookOutput
from daefr_arch.evaluation.report import INTERVAL_NOTE, Mean, align, format_number
from daefr_arch.metrics.psnr_metric import daefr_psnr
from daefr_arch.models.codebook_updates import code_counts, codebook_statistics

PROTOCOL = {
    'codes_used': 'share of the codes that are the nearest one of some feature',
    'perplexity': "exp of the entropy of the codes' frequencies over all images; at most the number of codes",
    'code_distance': 'Euclidean distance of a feature to its code, mean over the features of an image',
    'psnr': 'dB, of the reconstruction to the input at the size of the network; 8-bit RGB',
    'l1': 'absolute difference of the same two images, on a scale of [0, 1]',
}


@dataclass(frozen=True)
class PathStatistics:
    """The numbers of a path; PROTOCOL says how each is measured. counts: how often each of the N codes was chosen."""

    path: str
    images: int
    codes_used: float
    perplexity: float
    code_distance: Mean
    psnr: Mean
    l1: Mean
    counts: tuple[int, ...]


class PathRecord:
    """Takes the outputs of a path, batch by batch, and sums them up.

    Args:
        path: its name.
        codebook_size: number N of codes.
    """

    def __init__(self, path: str, codebook_size: int) -> None:
        self.path = path
        self.counts = torch.zeros(codebook_size, dtype=torch.int64)
        self.code_distances: list[float] = []
        self.psnr: list[float] = []
        self.l1: list[float] = []

    @torch.no_grad()
    def add_codes(self, output: CodebookOutput) -> None:
        """Takes what a CodebookPath returned for a batch."""
        self.counts += code_counts(output.indices, len(self.counts)).long().cpu()
        self.code_distances += code_distances(output.feature, output.codes).tolist()

    def add_image(self, face: np.ndarray, reconstruction: np.ndarray) -> None:
        """Takes an input and its reconstruction, both (R, R, 3) BGR uint8."""
        self.psnr.append(daefr_psnr(reconstruction, face))
        self.l1.append(float(np.abs(reconstruction.astype(np.float64) - face).mean() / 255))

    def summary(self) -> PathStatistics:
        """The numbers so far, of one image at least."""
        use, perplexity = codebook_statistics(self.counts.double())
        return PathStatistics(
            path=self.path,
            images=len(self.psnr),
            codes_used=use.item(),
            perplexity=perplexity.item(),
            code_distance=Mean.of(self.code_distances),
            psnr=Mean.of(self.psnr),
            l1=Mean.of(self.l1),
            counts=tuple(self.counts.tolist()),
        )


def code_distances(feature: Tensor, codes: Tensor) -> Tensor:
    """Mean Euclidean distance of the features (B, d, r, r) of each image to their codes (B, d, r, r): (B,)."""
    return (feature.float() - codes.float()).square().sum(1).sqrt().flatten(1).mean(1)


def to_text(statistics: Sequence[PathStatistics]) -> str:
    """An aligned table, a row a path."""
    cells = [['path', 'images', 'codes used', 'perplexity', 'distance to code', 'PSNR [dB]', 'L1']]
    for path in statistics:
        used = f'{np.count_nonzero(path.counts)} of {len(path.counts)} ({path.codes_used:.1%})'
        means = (str(path.code_distance), str(path.psnr), str(path.l1))
        cells.append([path.path, str(path.images), used, format_number(path.perplexity), *means])
    return '\n'.join([*align(cells), INTERVAL_NOTE])


def to_content(statistics: Sequence[PathStatistics]) -> list[dict[str, Any]]:
    """What JSON is to hold of each path: everything but the counts."""
    return [
        {
            'path': path.path,
            'images': path.images,
            'codebook_size': len(path.counts),
            'codes_used': path.codes_used,
            'perplexity': path.perplexity,
            **{name: vars(getattr(path, name)) for name in ('code_distance', 'psnr', 'l1')},
        }
        for path in statistics
    ]


def to_csv(statistics: Sequence[PathStatistics]) -> str:
    """How often each code was chosen: a line a code, a column a path (empty beyond its codebook)."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator='\n')
    writer.writerow(['code', *(path.path for path in statistics)])
    for code in range(max(len(path.counts) for path in statistics)):
        writer.writerow([code, *(path.counts[code] if code < len(path.counts) else '' for path in statistics)])
    return buffer.getvalue()
