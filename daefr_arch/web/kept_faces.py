"""What the network made of a photo's faces, on disk: another fidelity needs no other pass, and memory stays flat."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from daefr_arch.faces.fusion import FaceEvidence


@dataclass
class KeptFaces:
    """The faces of a photo; all lists are parallel.

    crops, matrices: as PhotoWork has them; there are no matrices where the photo is the aligned face. evidence: of the
    crops. network_faces: (R, R, 3) BGR uint8; None where the network failed or has not seen the face.
    seen: whether it has.
    """

    crops: list[np.ndarray] = field(default_factory=list)
    matrices: list[np.ndarray] = field(default_factory=list)
    evidence: list[FaceEvidence] = field(default_factory=list)
    network_faces: list[np.ndarray | None] = field(default_factory=list)
    seen: list[bool] = field(default_factory=list)

    def add(self, crop: np.ndarray, matrix: np.ndarray | None) -> None:
        """Adds a face that the network has not seen yet; its evidence is to be added."""
        self.crops.append(crop)
        self.network_faces.append(None)
        self.seen.append(False)
        if matrix is not None:
            self.matrices.append(matrix)

    def unseen(self, fidelity: float | None) -> list[int]:
        """The faces that the network has to see before they can be fused at this fidelity."""
        return [
            index
            for index, (shown, seen) in enumerate(zip(self.evidence, self.seen, strict=True))
            if not seen and not shown.is_enough(fidelity)
        ]

    def save(self, path: Path) -> None:
        """Writes all of it."""
        arrays = {'seen': np.array(self.seen, bool)}
        for index, shown in enumerate(self.evidence):
            arrays[f'crop{index}'] = self.crops[index]
            if self.matrices:
                arrays[f'matrix{index}'] = self.matrices[index]
            face = self.network_faces[index]
            if face is not None:
                arrays[f'face{index}'] = face
            arrays |= {f'ratios{index}_{level}': ratios for level, ratios in enumerate(shown.log_ratios)}
            arrays[f'shares{index}'] = np.array([shown.luma, shown.chroma])
            arrays[f'verdict{index}'] = np.array(shown.verdict)
        np.savez(path, **arrays)  # type: ignore[arg-type]  # numpy's stubs take the names for its own arguments

    @classmethod
    def load(cls, path: Path) -> 'KeptFaces':
        """What `save` wrote."""
        with np.load(path) as arrays:
            seen = arrays['seen'].tolist()
            indices = range(len(seen))
            evidence = []
            for index in indices:
                ratios = tuple(arrays[name] for name in arrays.files if name.startswith(f'ratios{index}_'))
                luma, chroma = (tuple(shares.tolist()) for shares in arrays[f'shares{index}'])
                evidence.append(FaceEvidence(ratios, luma, chroma, str(arrays[f'verdict{index}'])))
            return cls(
                crops=[arrays[f'crop{index}'] for index in indices],
                matrices=[arrays[f'matrix{index}'] for index in indices if f'matrix{index}' in arrays],
                evidence=evidence,
                network_faces=[arrays.get(f'face{i}') for i in indices],
                seen=seen,
            )
