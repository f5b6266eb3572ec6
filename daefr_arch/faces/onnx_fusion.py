"""Evidence and fusion by ONNX Runtime."""

from collections.abc import Sequence

import numpy as np

from daefr_arch.runtime.onnx_graph import OnnxGraph, shipped_graph


class OnnxFusion:
    """FusionNetworks with the graphs that are part of the project. device: as OnnxGraph takes it."""

    def __init__(self, *, device: str = 'auto') -> None:
        self.judge = OnnxGraph(shipped_graph('daefr-evidence'), device=device)
        self.fused_change = OnnxGraph(shipped_graph('daefr-harmoniser'), device=device)

    def evidence(self, photos: np.ndarray) -> list[np.ndarray]:
        """As FusionNetworks.evidence."""
        return self.judge({'photo': photos})

    def change(
        self, photos: np.ndarray, network_faces: np.ndarray, shares: Sequence[np.ndarray], strength: float
    ) -> np.ndarray:
        """As FusionNetworks.change."""
        weights = {f'weight_{level}': share for level, share in enumerate(shares)}
        factor = np.array(strength, np.float32)
        return self.fused_change({'photo': photos, 'network': network_faces, 'strength': factor, **weights})[0]
