"""The faces that every method gets: aligned crops, written to files once, with the crops of their ground truth."""

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from daefr_arch.comparison.method import CROPS, INPUT, TRUTH
from daefr_arch.errors import InputError
from daefr_arch.faces.aligner import crop_face, estimate_alignment
from daefr_arch.faces.detector import FaceDetector
from daefr_arch.io.atomic_file import make_folder, write_bytes
from daefr_arch.io.image_file import read_image, write_image
from daefr_arch.io.pairing import pair_by_name
from daefr_arch.io.photo import as_uint8
from daefr_arch.io.resize import resize_square

RECORD = 'faces.json'

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class FacesOfPhoto:
    """A photo with the names and alignments (2, 3), photo -> face, of its crops; none for an aligned face."""

    source: Path
    names: tuple[str, ...]
    matrices: tuple[np.ndarray, ...] = ()


@dataclass(frozen=True)
class FaceSet:
    """Crops `cropped_faces/NAME.png` (and `ground_truth/NAME.png`) under `root`, `face_size` pixels a side."""

    root: Path
    face_size: int
    has_truth: bool
    photos: list[FacesOfPhoto] = field(default_factory=list)

    @property
    def names(self) -> list[str]:
        """The faces, sorted."""
        return sorted(name for photo in self.photos for name in photo.names)

    def folder(self, method: str) -> Path:
        """Where the aligned faces of a method lie; of `input` and `ground_truth`, the crops."""
        return self.root / {INPUT: CROPS, TRUTH: TRUTH}.get(method, f'{method}/restored_faces')

    def read(self, method: str, name: str) -> np.ndarray:
        """A face of a method, BGR uint8."""
        return read_image(self.folder(method) / f'{name}.png').pixels

    def evidence_map(self, method: str, name: str) -> Path:
        """The picture of what is evidence in a face of a method; not there for methods without evidence."""
        return self.root / method / 'evidence_maps' / f'{name}.png'

    def save(self) -> None:
        """Notes in `faces.json` that all crops are written, and how they lie in their photos."""
        photos = [
            {
                'source': str(photo.source),
                'names': photo.names,
                'matrices': [matrix.tolist() for matrix in photo.matrices],
            }
            for photo in self.photos
        ]
        content = {'face_size': self.face_size, 'has_truth': self.has_truth, 'photos': photos}
        write_bytes(self.root / RECORD, json.dumps(content, indent=1).encode(errors='surrogateescape'))


def read_face_set(root: Path) -> FaceSet | None:
    """The face set that was written to `root`, or None where it was not completed."""
    if not (root / RECORD).is_file():
        return None
    content = json.loads((root / RECORD).read_text(encoding='utf-8'))
    photos = [
        FacesOfPhoto(Path(photo['source']), tuple(photo['names']), tuple(map(np.array, photo['matrices'])))
        for photo in content['photos']
    ]
    return FaceSet(root, content['face_size'], content['has_truth'], photos)


def write_face_set(
    sources: Sequence[Path],
    root: Path,
    *,
    truths: Sequence[Path] | None = None,
    detector: FaceDetector | None = None,
    face_size: int = 512,
) -> FaceSet:
    """Writes the crops under `root`.

    Args:
        sources: photos, or aligned faces where there is no detector, which are resized to `face_size`.
        truths: the same images in high quality, paired by name; photos must have the size of theirs, because their
            faces are cut out by the same alignment.
        detector: finds the faces of photos; face `i` of `a.jpg` is called `a_0i`, as CodeFormer does.
        face_size: side of the crops.

    Raises:
        InputError: two sources of one name, no face at all, ground truths that do not pair or have another size.
    """
    names = [source.stem for source in sources]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise InputError(f'several inputs have the same name but another extension: {", ".join(twice)}')
    truth_of = {} if truths is None else {source: truth for truth, source in pair_by_name(truths, sources)}
    faces = FaceSet(root, face_size, truths is not None)
    for folder in (INPUT, TRUTH)[: 1 + faces.has_truth]:
        make_folder(faces.folder(folder))
    for source in sources:
        photo = as_uint8(read_image(source, whole=True).pixels)
        truth = as_uint8(read_image(truth_of[source], whole=True).pixels) if faces.has_truth else None
        entry = (
            FacesOfPhoto(source, (source.stem,))
            if detector is None
            else _find_faces(source, photo, truth, detector, face_size)
        )
        faces.photos.append(entry)
        for index, name in enumerate(entry.names):
            for folder, img in ((INPUT, photo), (TRUTH, truth)):
                if img is not None:
                    crop = (
                        crop_face(img, entry.matrices[index], face_size) if detector else resize_square(img, face_size)
                    )
                    write_image(faces.folder(folder) / f'{name}.png', crop)
    if not faces.names:
        raise InputError('no face was found in any of the photos')
    faces.save()
    return faces


def _find_faces(
    source: Path, photo: np.ndarray, truth: np.ndarray | None, detector: FaceDetector, face_size: int
) -> FacesOfPhoto:
    if truth is not None and truth.shape != photo.shape:
        raise InputError(f'{source.name}: expected a ground truth of its size {photo.shape[:2]}, got {truth.shape[:2]}')
    found = detector.detect(photo)
    if not found:
        _logger.warning('%s: no face was found', source.name)
    return FacesOfPhoto(
        source,
        tuple(f'{source.stem}_{index:02d}' for index in range(len(found))),
        tuple(estimate_alignment(face.landmarks, face_size) for face in found),
    )
