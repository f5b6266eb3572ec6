"""The test set of a table: degraded faces and their ground truths at the size of the networks."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from daefr_arch.ablation.table_config import INPUT, TRUTH
from daefr_arch.errors import InputError
from daefr_arch.io.atomic_file import make_folder
from daefr_arch.io.file_hash import file_sha256
from daefr_arch.io.image_file import read_image, write_image
from daefr_arch.io.image_listing import list_images
from daefr_arch.io.pairing import pair_by_name
from daefr_arch.io.photo import as_uint8
from daefr_arch.io.resize import resize_square


@dataclass(frozen=True)
class FacePairs:
    """Pairs (degraded face, ground truth) of image files, by name, and the side of the networks in pixels."""

    files: dict[str, tuple[Path, Path]]
    face_size: int

    def fingerprint(self) -> str:
        """SHA-256 over names and contents of the files, and the size."""
        digest = hashlib.sha256(str(self.face_size).encode())
        for name, pair in self.files.items():
            digest.update(name.encode())
            for file in pair:
                digest.update(file_sha256(file).encode())
        return digest.hexdigest()

    def write(self, output: Path) -> None:
        """Writes `input/NAME.png` and `ground_truth/NAME.png` under `output`, resized where they have another size."""
        for index, folder in enumerate((INPUT, TRUTH)):
            make_folder(output / folder)
            for name, pair in self.files.items():
                face = as_uint8(read_image(pair[index], whole=True).pixels)
                write_image(output / folder / f'{name}.png', resize_square(face, self.face_size))


def find_face_pairs(lq: Path, gt: Path, face_size: int) -> FacePairs:
    """The images of two folders (or glob patterns), paired by name.

    Raises:
        InputError: nothing is there, or names that do not pair.
    """
    try:
        pairs = pair_by_name(list_images(lq), list_images(gt))
    except InputError as error:
        raise InputError(
            f'test set {lq} and {gt}: {error}; `daefr degrade` makes one, -i and -g name another'
        ) from error
    return FacePairs({truth.stem: (face, truth) for face, truth in pairs}, face_size)


def read_face(output: Path, row: str, name: str) -> np.ndarray:
    """A face of a row, of the input or of the ground truth, BGR uint8."""
    return read_image(output / row / f'{name}.png').pixels
