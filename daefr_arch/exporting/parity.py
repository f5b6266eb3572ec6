"""Whether an exported file computes what PyTorch does, measured on real faces."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from daefr_arch.archs.daefr_arch import DAEFR
from daefr_arch.errors import WeightsError
from daefr_arch.exporting import codeformer_layout
from daefr_arch.io.tensors import to_tensor


class Limits(NamedTuple):
    """What an export must reach: share of equal codes, and PSNR in dB."""

    code_agreement: float
    psnr: float


# sums in another order, and rounding, turn codes over that are hardly likelier than others: each costs PSNR, while a
# wrong graph has hardly a code and 15 dB
LIMITS = {'fp32': Limits(0.999, 50.0), 'mixed': Limits(0.98, 25.0)}
# faces at once, and the strength of the LQ control: the example that is exported has two
PASSES = ((1, 0.0), (3, 1.0), (8, 0.5))
MOST_FACES = max(batch for batch, _ in PASSES)


@dataclass(frozen=True)
class Parity:
    """What a pass through the file gives beside PyTorch's float32.

    Attributes:
        batch: faces of the pass.
        weight: s_lq; None where the network has no control module.
        code_agreement: share of the codes that are equal.
        psnr: of the restored faces in dB, against PyTorch's, with a peak of 2; infinite where they are equal.
        largest_difference: of a value in [-1, 1].
    """

    batch: int
    weight: float | None
    code_agreement: float
    psnr: float
    largest_difference: float

    def __str__(self) -> str:
        weight = '' if self.weight is None else f', weight {self.weight:g}'
        return (
            f'batch {self.batch}{weight}: {self.code_agreement:.2%} of the codes, PSNR {self.psnr:.1f} dB, '
            f'largest difference {self.largest_difference:.2g}'
        )


def measure_parity(
    path: str | Path, network: DAEFR, faces: Sequence[np.ndarray], passes: Sequence[tuple[int, float]] = PASSES
) -> list[Parity]:
    """The passes through the file on the CPU beside the network's.

    Args:
        path: an exported file, of either layout.
        network: what it was exported from, on the CPU.
        faces: degraded aligned faces (S, S, 3) BGR uint8, S the side that the file takes; MOST_FACES of them.
        passes: faces at once and s_lq of each.

    Raises WeightsError where the network's own faces are not finite: there is nothing to compare.
    """
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=['CPUExecutionProvider'])
    image, *weights = session.get_inputs()
    batch_of_all = to_tensor(faces)
    found = []
    for batch, s_lq in passes:
        x = batch_of_all[:batch]
        expected, expected_codes = reference(network, x, s_lq if weights else None)
        dtype = np.float64 if weights and weights[0].type == 'tensor(double)' else np.float32
        feed = {image.name: x.numpy(), **{weight.name: np.array([s_lq], dtype) for weight in weights}}
        restored, codes = session.run(None, feed)
        difference = np.abs(restored.astype(np.float64) - expected.numpy())
        error = float(np.square(difference).mean())
        found.append(
            Parity(
                batch=batch,
                weight=s_lq if weights else None,
                code_agreement=float((codes == expected_codes.numpy()).mean()),
                psnr=10 * float(np.log10(4 / error)) if error else np.inf,
                largest_difference=float(difference.max()),
            )
        )
    return found


@torch.no_grad()
def reference(network: DAEFR, faces: Tensor, s_lq: float | None) -> tuple[Tensor, Tensor]:
    """What PyTorch makes of faces (B, 3, S, S), of the network's side or CodeFormer's: (restored, codes).

    Raises WeightsError where it is not finite.
    """
    resized = faces.shape[3] != network.resolution
    x = codeformer_layout.shrink(faces, network.resolution) if resized else faces
    restored, logits, _ = network(x, s_lq)
    if not restored.isfinite().all():
        raise WeightsError('the network makes faces that are not finite of the sample photos: nothing to compare with')
    return codeformer_layout.enlarge(restored) if resized else restored, logits.argmax(2)


def falls_short(parity: Parity, precision: str) -> bool:
    """Whether it is less than the precision promises; also where it is not a number."""
    limits = LIMITS[precision]
    return not (parity.code_agreement >= limits.code_agreement and parity.psnr >= limits.psnr)
