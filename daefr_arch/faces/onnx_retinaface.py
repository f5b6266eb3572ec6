"""The embedded RetinaFace by ONNX Runtime."""

import numpy as np

from daefr_arch.choices import EMBEDDED_DETECTOR
from daefr_arch.runtime.onnx_graph import OnnxGraph, shipped_graph


class OnnxRetinaFace:
    """DetectionNetwork with the graph that is part of the project. device: as OnnxGraph takes it."""

    def __init__(self, *, device: str = 'auto') -> None:
        self.graph = OnnxGraph(shipped_graph(EMBEDDED_DETECTOR), device=device)

    def __call__(self, imgs: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """As DetectionNetwork."""
        offsets, scores, landmarks = self.graph({'pictures': imgs})
        return offsets, scores, landmarks
