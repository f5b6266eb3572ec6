"""The association of pairs of encoders, measured on files of clean and degraded faces."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from daefr_arch.analysis.codebook_files import EncoderPair
from daefr_arch.analysis.face_batches import face_batches
from daefr_arch.analysis.similarity import PairSimilarity, SimilarityRecord
from daefr_arch.evaluation.report import INTERVAL_NOTE, Mean, align, json_text
from daefr_arch.io.progress import ProgressBar
from daefr_arch.io.resize import resize_square
from daefr_arch.io.tensors import to_tensor

PROTOCOL = {
    'hq_to_lq': "share of the HQ encoder's patches whose most similar patch of the LQ encoder is at their own place",
    'lq_to_hq': "share of the LQ encoder's patches whose most similar patch of the HQ encoder is at their own place",
    'diagonal': 'mean cosine of the patches at one place',
    'off_diagonal': 'mean cosine of the patches at different places',
}
_LABELS = {'hq_to_lq': 'HQ→LQ', 'lq_to_hq': 'LQ→HQ', 'diagonal': 'diagonal', 'off_diagonal': 'off the diagonal'}


def measure_pairs(
    pairs: Mapping[str, EncoderPair],
    files: Sequence[tuple[Path, Path]],
    *,
    device: torch.device,
    batch_size: int = 8,
    progress: bool = False,
) -> tuple[dict[str, PairSimilarity], dict[str, str]]:
    """Returns name -> similarity of each pair over all images, and file -> why it was left out.

    Args:
        pairs: name -> encoders.
        files: degraded and clean aligned face, of any size; they are resized to each pair's resolution.
        device: where the encoders run, in float32.
        batch_size: faces at once.
        progress: whether to show a progress bar.

    Raises InputError where no pair of images can be read.
    """
    records = {name: SimilarityRecord() for name in pairs}
    for pair in pairs.values():
        pair.to(device)
    failed: dict[str, str] = {}
    for batch in face_batches(ProgressBar(files, unit='face', disable=not progress), batch_size, failed):
        images = list(zip(*(images for _, images in batch), strict=True))
        for name, pair in pairs.items():
            degraded, clean = (_to_batch(faces, pair.resolution).to(device) for faces in images)
            with torch.inference_mode():
                records[name].add(*pair(clean, degraded))
    return {name: record.summary() for name, record in records.items()}, failed


def _to_batch(faces: Sequence[np.ndarray], resolution: int) -> Tensor:
    """Faces (S, S, 3) BGR uint8 -> (B, 3, R, R) float32, RGB, in [-1, 1]."""
    return to_tensor([resize_square(face, resolution) for face in faces])


def summarise(similarity: PairSimilarity) -> dict[str, Mean]:
    """Each number of PROTOCOL over the images."""
    return {name: Mean.of(values.tolist()) for name, values in similarity.agreement._asdict().items()}


def to_text(similarities: Mapping[str, PairSimilarity]) -> str:
    """An aligned table, a row a pair, and what its columns are."""
    cells = [['pair', 'images', 'chance', *_LABELS.values()]]
    for name, similarity in similarities.items():
        means = summarise(similarity)
        images, chance = len(similarity.agreement.diagonal), 1 / len(similarity.matrix)
        cells.append([name, str(images), f'{chance:.4f}', *(str(means[key]) for key in _LABELS)])
    notes = [f'{label}: {PROTOCOL[key]}' for key, label in _LABELS.items()]
    return '\n'.join([*align(cells), *notes, INTERVAL_NOTE])


def to_json(
    similarities: Mapping[str, PairSimilarity], *, checkpoints: Mapping[str, Sequence[str]], failed: Mapping[str, str]
) -> str:
    """Everything but the matrices. checkpoints: pair -> its files; failed: as measure_pairs returns it."""
    content = {
        'protocol': PROTOCOL,
        'pairs': [
            {
                'name': name,
                'checkpoints': list(checkpoints[name]),
                'images': len(similarity.agreement.diagonal),
                'patches': len(similarity.matrix),
                **{key: vars(mean) for key, mean in summarise(similarity).items()},
            }
            for name, similarity in similarities.items()
        ],
        'left_out': dict(failed),
    }
    return json_text(content)
