"""The network of a row, and what it makes of the test set."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from basicsr.archs import build_network
from basicsr.utils.registry import ARCH_REGISTRY
from torch import nn

from daefr_arch.ablation.face_pairs import read_face
from daefr_arch.ablation.table_config import INPUT, Row
from daefr_arch.ablation.training import Training
from daefr_arch.analysis.codebook_path import CodebookPath
from daefr_arch.checkpoints import Domain, load_stage_network
from daefr_arch.errors import InputError, WeightsError
from daefr_arch.io.atomic_file import make_folder
from daefr_arch.io.image_file import write_image
from daefr_arch.io.progress import ProgressBar
from daefr_arch.runtime.face_network import FaceNetwork

# label -> type of the networks that a row restores with
RESTORATION = {'g': 'DAEFR'}
ASSOCIATED = {'hq': 'DAEFRCodebook', 'lq': 'DAEFRCodebook'}
# of an official checkpoint with several networks
OFFICIAL_PARTS = {'g': 'daefr', 'hq': 'hq_codebook', 'lq': 'lq_codebook'}


def check_row(row: Row, training: Training) -> None:
    """Raises InputError where the row's `path` or `s_lq` does not fit the networks of its option file."""
    kinds = {label: training.options[f'network_{label}']['type'] for label in training.labels}
    associated = kinds == ASSOCIATED
    if not associated and kinds != RESTORATION:
        expected = f'{RESTORATION} or {ASSOCIATED}'
        raise InputError(f'row {row.name}: expected networks {expected} in {training.file}, got {kinds}')
    if associated != (row.path is not None):
        expected = 'expected hq, lq or hybrid for the two autoencoders' if associated else 'expected none for a DAEFR'
        raise InputError(f'row {row.name}: path: {expected} of {training.file}, got {row.path!r}')
    if row.s_lq is not None and not training.options.get('network_g', {}).get('lq_control'):
        raise InputError(f'row {row.name}: s_lq: {training.file} has no control module (network_g.lq_control: true)')


def face_size(training: Training) -> int:
    """The side in pixels of the faces that the networks of a training take."""
    options = dict(training.options[f'network_{training.labels[0]}'])
    with torch.device('meta'):
        return int(ARCH_REGISTRY.get(options.pop('type'))(**options).resolution)


def load_row_network(row: Row, training: Training, checkpoints: Mapping[str, Path]) -> nn.Module:
    """The network of a row: network(x, s_lq) -> (restored, ...), with the weights of `checkpoints` by label.

    The moving average is taken where a file has one. Raises WeightsError where a file does not fit.
    """
    networks: dict[str, Any] = {}
    for label, file in checkpoints.items():
        networks[label] = build_network(dict(training.options[f'network_{label}']))
        domain: Domain | None = 'hq' if label == 'hq' else 'lq' if label == 'lq' else None
        load_stage_network(networks[label], file, OFFICIAL_PARTS[label], domain=domain)
    return networks['g'] if row.path is None else CodebookPath(row.path, **networks)


def restore_faces(row: Row, network: nn.Module, output: Path, names: Iterable[str], device: str) -> None:
    """Restores the faces of `input/` under `output`, in float32, and writes them as ROW/NAME.png.

    Raises WeightsError where an output is not finite.
    """
    make_folder(output / row.name)
    names = list(names)
    runner = FaceNetwork(network, device=device, precision='fp32')
    for start in ProgressBar(range(0, len(names), runner.batch_size), desc=row.name, unit='batch'):
        batch = names[start : start + runner.batch_size]
        faces = [read_face(output, INPUT, name) for name in batch]
        for name, restored in zip(batch, runner.restore(faces, s_lq=row.s_lq), strict=True):
            if restored is None:
                raise WeightsError(f'row {row.name}: the network output for {name} is not finite')
            write_image(output / row.name / f'{name}.png', restored)
