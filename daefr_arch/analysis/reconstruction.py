"""Aligned faces through the paths of Fig. 6: their reconstructions, strips to look at, and statistics of the codes."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from daefr_arch.analysis import path_statistics
from daefr_arch.analysis.codebook_path import CodebookPath
from daefr_arch.analysis.face_batches import face_batches
from daefr_arch.analysis.path_statistics import PathRecord, PathStatistics
from daefr_arch.errors import WeightsError
from daefr_arch.evaluation.report import json_text
from daefr_arch.io.atomic_file import make_folder, write_bytes
from daefr_arch.io.contact_sheet import contact_sheet
from daefr_arch.io.image_file import write_image
from daefr_arch.io.progress import ProgressBar
from daefr_arch.io.resize import resize_square
from daefr_arch.runtime.face_network import FaceNetwork

TITLES = {'hq': 'HQ path', 'lq': 'LQ path', 'hybrid': 'hybrid path'}


@dataclass(frozen=True)
class ReconstructionLayout:
    """The files of a run: `PATH/NAME.png`, with several paths `strips/NAME.png`, and the statistics.

    Args:
        root: folder of all of them.
        paths: names of the paths, each once.
    """

    root: Path
    paths: tuple[str, ...]

    @property
    def statistics(self) -> Path:
        """The numbers of all paths."""
        return self.root / 'statistics.json'

    @property
    def counts(self) -> Path:
        """How often each code was chosen."""
        return self.root / 'code_counts.csv'

    def reconstruction(self, source: Path, path: str) -> Path:
        """What a path makes of a face."""
        return self.root / path / f'{source.stem}.png'

    def strip(self, source: Path) -> Path | None:
        """The face beside its reconstructions; None where there is one path."""
        return self.root / 'strips' / f'{source.stem}.png' if len(self.paths) > 1 else None

    def results(self, source: Path) -> list[Path]:
        """All that is written for a face."""
        files = [self.reconstruction(source, path) for path in self.paths]
        strip = self.strip(source)
        return files if strip is None else [*files, strip]


class _PathRunner:
    """A path on its device, with the record of all that it makes."""

    def __init__(self, network: CodebookPath, device: str | torch.device, batch_size: int) -> None:
        self.network = FaceNetwork(network, device=device, precision='fp32', batch_size=batch_size)
        self.record = PathRecord(network.path, network.codebook_size)
        network.register_forward_hook(lambda module, arguments, output: self.record.add_codes(output))

    def reconstruct(self, faces: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Faces (R, R, 3) BGR uint8 -> reconstructions of the same kind."""
        reconstructions = []
        for face, reconstruction in zip(faces, self.network.restore(faces), strict=True):
            if reconstruction is None:
                raise WeightsError(f'the output of the {TITLES[self.record.path]} is not finite')
            self.record.add_image(face, reconstruction)
            reconstructions.append(reconstruction)
        return reconstructions


def reconstruct_faces(
    networks: Sequence[CodebookPath],
    sources: Sequence[Path],
    layout: ReconstructionLayout,
    *,
    device: str | torch.device = 'auto',
    batch_size: int = 8,
    progress: bool = False,
) -> tuple[list[PathStatistics], dict[str, str]]:
    """Writes the images of `layout`; returns the statistics of every path, and file -> why it was left out.

    Args:
        networks: the paths of `layout`, in its order, all of one resolution.
        sources: aligned faces of any size, grey, with alpha or of 16 bits too; they are resized to the networks'
            resolution. Their results were checked by output_layout.check_names.
        layout: where the images go.
        device, batch_size: as in FaceNetwork.
        progress: whether to show a progress bar.

    Raises:
        InputError: no source can be read.
        WeightsError: an output is not finite.
        OutputError: something cannot be written.
    """
    runners = [_PathRunner(network, device, batch_size) for network in networks]
    face_size = runners[0].network.face_size
    for folder in {result.parent for source in sources for result in layout.results(source)}:
        make_folder(folder)
    failed: dict[str, str] = {}
    items = ProgressBar([(source,) for source in sources], unit='face', disable=not progress)
    for batch in face_batches(items, batch_size, failed):
        faces = [resize_square(image, face_size) for _, (image,) in batch]
        reconstructions = [runner.reconstruct(faces) for runner in runners]
        for ((source,), _), face, *images in zip(batch, faces, *reconstructions, strict=True):
            _write_images(layout, source, face, images)
    return [runner.record.summary() for runner in runners], failed


def write_statistics(
    layout: ReconstructionLayout,
    statistics: Sequence[PathStatistics],
    *,
    checkpoints: dict[str, str],
    failed: dict[str, str],
) -> None:
    """Writes the numbers with their protocol, and the counts of the codes.

    checkpoints: domain -> its file; failed: as reconstruct_faces returns it.
    """
    content = {
        'checkpoints': checkpoints,
        'protocol': path_statistics.PROTOCOL,
        'paths': path_statistics.to_content(statistics),
        'left_out': failed,
    }
    write_bytes(layout.statistics, json_text(content).encode())
    write_bytes(layout.counts, path_statistics.to_csv(statistics).encode())


def _write_images(layout: ReconstructionLayout, source: Path, face: np.ndarray, images: Sequence[np.ndarray]) -> None:
    for path, image in zip(layout.paths, images, strict=True):
        write_image(layout.reconstruction(source, path), image)
    strip = layout.strip(source)
    if strip is not None:
        titles = ['input', *(TITLES[path] for path in layout.paths)]
        write_image(strip, contact_sheet([[face, *images]], titles))
