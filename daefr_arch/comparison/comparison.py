"""Runs the methods over a face set and measures them: results, cost, metrics."""

import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import cv2
import numpy as np
import torch

from daefr_arch.choices import FIDELITY
from daefr_arch.comparison.cost import Cost, PeakMemory
from daefr_arch.comparison.cost_record import CostRecord
from daefr_arch.comparison.face_set import FaceSet, FacesOfPhoto
from daefr_arch.comparison.films import ComparedFilm
from daefr_arch.comparison.method import INPUT, TRUTH, Method, describe_network, load_method_network
from daefr_arch.comparison.results_elsewhere import take_results
from daefr_arch.errors import WeightsError
from daefr_arch.evaluation.evaluator import Evaluator
from daefr_arch.evaluation.report import Report
from daefr_arch.faces.evidence_map import draw_evidence
from daefr_arch.faces.face_mask import feather_mask
from daefr_arch.faces.fusion import FaceEvidence
from daefr_arch.faces.paster import RestoredFace, paste_faces
from daefr_arch.io.atomic_file import make_folder
from daefr_arch.io.image_file import read_image, write_image
from daefr_arch.io.progress import ProgressBar
from daefr_arch.io.resize import resize_square
from daefr_arch.restoration.background import enlarge_photo
from daefr_arch.restoration.face_restorer import FaceRestorer, load_fusion
from daefr_arch.runtime.face_network import FaceNetwork
from daefr_arch.runtime.precision import resolve_device

# a face, None where it is not finite, and the evidence of its crop, None for bare methods
_Restored = tuple[np.ndarray | None, FaceEvidence | None]


@dataclass(frozen=True)
class ComparedMethod:
    """A method with its cost and its metrics; the unrestored `input` is one too."""

    name: str
    description: str
    cost: Cost
    report: Report


@dataclass(frozen=True)
class Comparison:
    """What `compare_methods` found. hardware: what it ran on, with precision. films: what `compare_films` found."""

    faces: FaceSet
    methods: tuple[ComparedMethod, ...]
    hardware: str
    films: tuple[ComparedFilm, ...] = ()

    @property
    def missing(self) -> bool:
        """Whether a metric has no number."""
        return any(method.report.missing for method in self.methods)


def compare_methods(
    methods: Sequence[Method],
    faces: FaceSet,
    evaluator: Evaluator,
    *,
    fidelity: float = FIDELITY,
    device: str = 'auto',
    precision: str = 'fp32',
    upscale: float = 1,
    offline: bool = False,
) -> Comparison:
    """Runs every method over the same crops, one face at a time, and measures it.

    Results go to `NAME/restored_faces` and, for photos, `NAME/final_results` under the face set's root. Every method's
    faces are pasted with the same soft mask; no colours are matched, so that each shows its own.

    Called again after an interruption, it takes the faces that are there. Raises InputError where a folder's files do
    not pair with the crops, WeightsError where an output is not finite.
    """
    target = resolve_device(device)
    truth = faces.folder(TRUTH) if faces.has_truth else None
    for method in methods:
        make_folder(faces.folder(method.name))
        if method.is_folder:  # first: a result that is missing is told before networks run
            take_results(method, faces)
    compared = [ComparedMethod(INPUT, 'as given', Cost(), evaluator.run(faces.folder(INPUT), truth))]
    for method in methods:
        description, cost = f'results in {method.source}', Cost()
        if not method.is_folder:
            description, cost = _restore_faces(
                method, faces, target, precision=precision, fidelity=fidelity, offline=offline
            )
        _paste_photos(method, faces, upscale)
        report = evaluator.run(faces.folder(method.name), truth)
        compared.append(ComparedMethod(method.name, description, cost, report))
    return Comparison(faces, tuple(compared), f'{_hardware(target)}, {precision}')


def _restore_faces(
    method: Method, faces: FaceSet, device: torch.device, *, precision: str, fidelity: float, offline: bool
) -> tuple[str, Cost]:
    """Restores the crops that are not restored yet; returns what the network is and what it cost."""
    folder = faces.folder(method.name)
    record = CostRecord(folder.parent)
    todo = [name for name in faces.names if name not in record.seconds or not (folder / f'{name}.png').exists()]
    if record.description is not None and not todo:
        return record.description, record.cost(faces.names)
    memory = PeakMemory(device)
    network = load_method_network(method, fidelity=fidelity, offline=offline)
    runner = FaceNetwork(network, device=device, precision=precision, batch_size=1)
    restore: Callable[[np.ndarray], _Restored] = partial(_restore, runner)
    description = describe_network(network)
    if method.with_evidence:
        restore = partial(_restore_with_evidence, FaceRestorer(runner, load_fusion(device, offline=offline)))
        description += ', fused with the evidence of the crop'
        make_folder(faces.evidence_map(method.name, '').parent)
    restore(faces.read(INPUT, faces.names[0]))  # warms up
    done = len(faces.names) - len(todo)
    for name in ProgressBar(todo, initial=done, total=len(faces.names), desc=method.name, unit='face'):
        crop = faces.read(INPUT, name)
        start = time.perf_counter()
        restored, evidence = restore(crop)
        seconds = time.perf_counter() - start
        if restored is None:
            raise WeightsError(f'method {method.name}: the network output for {name} is not finite')
        if evidence is not None:
            picture = draw_evidence(restored, evidence.log_ratios)
            write_image(faces.evidence_map(method.name, name), resize_square(picture, faces.face_size))
        write_image(folder / f'{name}.png', resize_square(restored, faces.face_size))
        record.add(name, seconds)
    record.finish(description, memory.read())
    return description, record.cost(faces.names)


def _restore(runner: FaceNetwork, crop: np.ndarray) -> _Restored:
    return runner.restore([resize_square(crop, runner.face_size)])[0], None


def _restore_with_evidence(restorer: FaceRestorer, crop: np.ndarray) -> _Restored:
    ((fused, evidence),) = restorer.restore([resize_square(crop, max(restorer.smallest_side, len(crop)))])
    return (None if fused is None else fused.face), evidence


def _paste_photos(method: Method, faces: FaceSet, upscale: float) -> None:
    """Writes the whole photos with the method's faces."""
    photos = [photo for photo in faces.photos if photo.matrices]
    if not photos:
        return
    folder = faces.root / method.name / 'final_results'
    make_folder(folder)
    for photo in photos:
        write_image(folder / f'{photo.source.stem}.png', _paste(method, faces, photo, upscale))


def _paste(method: Method, faces: FaceSet, photo: FacesOfPhoto, upscale: float) -> np.ndarray:
    mask = feather_mask(faces.face_size)
    pasted = [
        RestoredFace(faces.read(method.name, name), mask, matrix)
        for name, matrix in zip(photo.names, photo.matrices, strict=True)
    ]
    whole = enlarge_photo(read_image(photo.source).pixels, upscale)
    paste_faces(whole, pasted, upscale)
    return whole


def _hardware(device: torch.device) -> str:
    if device.type == 'cuda':
        return torch.cuda.get_device_name(device)
    threads = f'{torch.get_num_threads()} threads, OpenCV {cv2.getNumThreads()}'
    return f'{device.type} {platform.machine()}, {threads}'
