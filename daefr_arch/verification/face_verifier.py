"""Verifies the pairs of an LFW-style folder, with or without restoration in between (Table 4 of the paper)."""

import csv
import io
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from daefr_arch.errors import InputError
from daefr_arch.faces.aligner import crop_face, estimate_alignment
from daefr_arch.faces.detector import FaceDetector, center_face
from daefr_arch.io.image_file import read_image
from daefr_arch.io.photo import as_uint8
from daefr_arch.io.progress import ProgressBar
from daefr_arch.io.resize import resize_square
from daefr_arch.metrics.face_embedding import FaceEmbedder
from daefr_arch.verification.lfw import FacePair, find_faces
from daefr_arch.verification.verification import ROC, FoldAccuracy, fold_accuracy, roc_curve

FACE_SIZE = 256
# side of the FFHQ crop over that of LFW's 250x250 images, whose faces are centred: where none is detected
CENTRAL_SHARE = 0.68
FARS = (0.001, 0.01, 0.1)


class AlignedFaceRestorer(Protocol):
    """What is asked of a restorer; DAEFRRestorer and GFPGANer are two."""

    def enhance(
        self, img: np.ndarray, has_aligned: bool, only_center_face: bool, paste_back: bool
    ) -> tuple[list[np.ndarray], list[np.ndarray], np.ndarray | None]:
        """GFPGAN's signature; the second of what it returns are the restored faces."""


@dataclass(frozen=True)
class VerificationReport:
    """Accuracy over folds, ROC, and how they came about."""

    accuracy: FoldAccuracy
    roc: ROC
    pairs: int
    images: int
    undetected: tuple[str, ...]
    protocol: str

    def to_text(self) -> str:
        """The numbers, then the protocol."""
        folds = ' '.join(f'{100 * value:.2f}' for value in self.accuracy.accuracies)
        rates = ', '.join(self._tar_text(far) for far in FARS)
        lines = [
            f'accuracy   {100 * self.accuracy.mean:.2f}% ± {100 * self.accuracy.standard_error:.2f} (standard error)',
            f'folds [%]  {folds}',
            f'ROC AUC    {self.roc.auc:.4f}',
            f'TAR        {rates}',
            f'pairs      {self.pairs} of {self.images} images, {len(self.undetected)} of them without a detected face',
            f'protocol   {self.protocol}',
        ]
        return '\n'.join(lines)

    def _tar_text(self, far: float) -> str:
        tar = self.roc.tar_at(far)
        if tar is None:
            return f'- at FAR {far:g} (needs {math.ceil(1 / far)} pairs of two persons, here are {self.roc.others})'
        return f'{100 * tar:.2f}% at FAR {far:g}'

    def to_json(self) -> str:
        """The numbers and the names of the images without a detected face."""
        content = {
            'accuracy': self.accuracy.mean,
            'standard_error': self.accuracy.standard_error,
            'fold_accuracies': self.accuracy.accuracies.tolist(),
            'fold_thresholds': self.accuracy.thresholds.tolist(),
            'auc': self.roc.auc,
            'tar_at_far': {f'{far:g}': self.roc.tar_at(far) for far in FARS},
            'pairs': self.pairs,
            'images': self.images,
            'undetected': self.undetected,
            'protocol': self.protocol,
        }
        return json.dumps(content, indent=2, ensure_ascii=False)

    def roc_csv(self) -> str:
        """The points of the curve: threshold of the cosine similarity, far, tar."""
        buffer = io.StringIO()
        writer = csv.writer(buffer, lineterminator='\n')
        writer.writerow(['threshold', 'far', 'tar'])
        writer.writerows(zip(self.roc.thresholds, self.roc.far, self.roc.tar, strict=True))
        return buffer.getvalue()


class FaceVerifier:
    """Embeds the faces of a folder and compares pairs of them by cosine similarity.

    Args:
        embedder: Of FFHQ-aligned faces.
        detector: Finds the faces, of which the one nearest to the centre is cut out by the FFHQ template. None: the
            images are FFHQ-aligned faces already.
        restorer: Restores every aligned face before it is embedded.
        face_size: Side of the aligned faces in pixels.
    """

    def __init__(
        self,
        embedder: FaceEmbedder,
        *,
        detector: FaceDetector | None = None,
        restorer: AlignedFaceRestorer | None = None,
        face_size: int = FACE_SIZE,
    ) -> None:
        self.embedder = embedder
        self.detector = detector
        self.restorer = restorer
        self.face_size = face_size

    @property
    def protocol(self) -> str:
        """One line for the report."""
        aligned = 'aligned images' if self.detector is None else 'central detected face, FFHQ template'
        restored = 'not restored' if self.restorer is None else 'restored'
        return (
            f'LFW: mean over folds, threshold from the others; cosine similarity; {aligned}, {self.face_size}x'
            f'{self.face_size}, {restored}; {self.embedder.protocol}'
        )

    def run(self, folder: str | Path, pairs: Sequence[FacePair], *, progress: bool = False) -> VerificationReport:
        """Verifies `pairs` of the images person/person_0001.* of `folder`.

        Raises:
            InputError: a missing or unreadable image, fewer than two folds, or a face that could not be restored.
        """
        paths = find_faces(folder, pairs)
        embeddings, undetected = {}, []
        for face, path in ProgressBar(paths.items(), unit='face', disable=not progress):
            crop, found = self._align(as_uint8(read_image(path, whole=True).pixels))
            if not found:
                undetected.append(path.name)
            embeddings[face] = self.embedder.embed(self._restore(crop, path))
        similarity = np.array([embeddings[pair.first] @ embeddings[pair.second] for pair in pairs])
        same, fold = np.array([pair.same for pair in pairs]), np.array([pair.fold for pair in pairs])
        return VerificationReport(
            accuracy=fold_accuracy(similarity, same, fold),
            roc=roc_curve(similarity, same),
            pairs=len(pairs),
            images=len(paths),
            undetected=tuple(undetected),
            protocol=self.protocol,
        )

    def _align(self, img: np.ndarray) -> tuple[np.ndarray, bool]:
        """The aligned face, and whether it was detected (or aligned before)."""
        if self.detector is None:
            return resize_square(img, self.face_size), True
        height, width = img.shape[:2]
        faces = self.detector.detect(img)
        if faces:
            face = center_face(faces, height, width)
            return crop_face(img, estimate_alignment(face.landmarks, self.face_size), self.face_size), True
        side = round(CENTRAL_SHARE * min(height, width))
        top, left = (height - side) // 2, (width - side) // 2
        return resize_square(img[top : top + side, left : left + side], self.face_size), False

    def _restore(self, face: np.ndarray, path: Path) -> np.ndarray:
        if self.restorer is None:
            return face
        restored = self.restorer.enhance(face, has_aligned=True, only_center_face=False, paste_back=False)[1]
        if not restored:
            raise InputError(f'{path}: the face could not be restored')
        return restored[0]
