"""Aligned faces in, restored faces out: what the crop shows is judged, the network guesses the rest, both are fused."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from daefr_arch.errors import InputError
from daefr_arch.faces.exposure import restore_at_normal_exposure
from daefr_arch.faces.fusion import SIDE, EvidenceFusion, FaceEvidence, FusedFace
from daefr_arch.io.resize import resize_square
from daefr_arch.runtime.restoration_network import RestorationNetwork

if TYPE_CHECKING:
    import torch


class FaceRestorer:
    """Restores aligned faces at their own resolution.

    Args:
        network: the restoration network, of any kind.
        fusion: judges the crops, and fuses them with the network's faces.
    """

    def __init__(self, network: RestorationNetwork, fusion: EvidenceFusion) -> None:
        self.network = network
        self.fusion = fusion

    @property
    def smallest_side(self) -> int:
        """Of the crops, in pixels: neither the network nor the fusion sees less."""
        return max(self.network.face_size, SIDE)

    def restore(
        self, crops: Sequence[np.ndarray], *, fidelity: float | None = None
    ) -> list[tuple[FusedFace | None, FaceEvidence]]:
        """Restores crops (S, S, 3) BGR uint8, S >= `smallest_side`, in shared batches.

        Args:
            crops: aligned faces.
            fidelity: 0 for the network's face alone, 1 for all that could be evidence, None for what the evidence says.

        Returns:
            For each crop the face, None where the network or the evidence is not finite, and the evidence. Of crops
            that show all there is to show the network sees none.

        Raises:
            InputError: a fidelity outside [0, 1].
        """
        if fidelity is not None and not 0 <= fidelity <= 1:
            raise InputError(f'weight: expected a fidelity between 0 and 1, got {fidelity}')
        evidence = self.fusion.assess(crops)
        lacking = [index for index, shown in enumerate(evidence) if shown.is_finite and not shown.is_enough(fidelity)]
        faces = dict(zip(lacking, self.network_faces([crops[index] for index in lacking]), strict=True))
        network_faces = [faces.get(index) for index in range(len(crops))]
        return list(zip(self.fuse(crops, evidence, network_faces, fidelity=fidelity), evidence, strict=True))

    def network_faces(self, crops: Sequence[np.ndarray]) -> list[np.ndarray | None]:
        """What the network makes of each crop: (R, R, 3) BGR uint8, None where its output is not finite."""
        return restore_at_normal_exposure(self.network, [resize_square(crop, self.network.face_size) for crop in crops])

    def fuse(
        self,
        crops: Sequence[np.ndarray],
        evidence: Sequence[FaceEvidence],
        network_faces: Sequence[np.ndarray | None],
        *,
        fidelity: float | None = None,
    ) -> list[FusedFace | None]:
        """Crops and network's faces become the results; at another fidelity without another pass of the network.

        network_faces: None where the network failed, or saw nothing: a crop that shows enough at this fidelity needs
            none and is kept, the result of any other is None.
        """
        lacking = [index for index, shown in enumerate(evidence) if not shown.is_enough(fidelity)]
        faces = {index: face for index in lacking if (face := network_faces[index]) is not None}
        fused = self.fusion.fuse(
            [crops[index] for index in faces],
            list(faces.values()),
            fidelity=fidelity,
            evidence=[evidence[index] for index in faces],
        )
        results = {index: face for index, face in zip(faces, fused, strict=True) if np.isfinite(face.change).all()}
        for index, (crop, shown) in enumerate(zip(crops, evidence, strict=True)):
            if shown.is_finite and shown.is_enough(fidelity):
                results[index] = FusedFace.kept(crop, shown)
        return [results.get(index) for index in range(len(crops))]


def load_fusion(
    device: 'str | torch.device' = 'cpu', *, backend: str = 'torch', offline: bool = False
) -> EvidenceFusion:
    """The fusion with the networks that are part of the project. backend: 'torch' or 'onnx'.

    Raises WeightsError where they are not at hand.
    """
    if backend == 'onnx':
        from daefr_arch.faces.onnx_fusion import OnnxFusion

        return EvidenceFusion(OnnxFusion(device=str(device)))
    from daefr_arch.checkpoints import load_network
    from daefr_arch.faces.torch_fusion import TorchFusion

    evidence, harmoniser = (load_network(name, offline=offline) for name in ('daefr-evidence', 'daefr-harmoniser'))
    return EvidenceFusion(TorchFusion(evidence, harmoniser, device=device))
