"""Running a restoration network that is an ONNX file on aligned faces."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from daefr_arch.choices import BATCH_SIZE
from daefr_arch.downloads import manifest
from daefr_arch.errors import InputError, WeightsError
from daefr_arch.io.planes import to_pictures, to_planes
from daefr_arch.runtime.onnx_graph import OnnxGraph, shipped_graph
from daefr_arch.runtime.restoration_network import check_faces

DEFAULT_MODEL = 'daefr-lite'
# names of the input in the project's files, and in those for programs that load CodeFormer's
IMAGES = ('image', 'input')
WEIGHT = 'weight'


class OnnxFaceNetwork:
    """RestorationNetwork: a file of `daefr export`, or the default model.

    Args:
        model: 'daefr-lite', or a file.
        device: as OnnxGraph takes it.
        precision: 'auto'; the number format is the file's.
        batch_size: faces a pass at most.
    """

    def __init__(
        self,
        model: str | Path = DEFAULT_MODEL,
        *,
        device: str = 'auto',
        precision: str = 'auto',
        batch_size: int = BATCH_SIZE,
    ) -> None:
        if batch_size < 1:
            raise InputError(f'batch_size: expected 1 or more, got {batch_size}')
        self.graph = OnnxGraph(_graph_of(model), device=device)
        self.precisions = self.graph.words.get('precision', 'fp32')
        if precision not in ('auto', self.precisions):
            raise InputError(
                f'precision: expected auto or {self.precisions}, which the ONNX file has, got {precision!r}'
            )
        shapes = {name: self.graph.shape(name) for name in IMAGES}
        self._image = next((name for name, shape in shapes.items() if shape is not None), '')
        batch, channels, height, width = shapes.get(self._image) or ('', '', '', '')
        if channels != 3 or height != width or not isinstance(height, int):
            raise WeightsError(f'{self.graph.path}: expected a file of daefr export, with an input image (N, 3, R, R)')
        self.face_size = height
        self.batch_size = batch if isinstance(batch, int) else batch_size
        self.has_control = self.graph.shape(WEIGHT) is not None

    @property
    def device(self) -> str:
        """Where it computes."""
        return self.graph.device

    @property
    def backend(self) -> str:
        """What computes, and where."""
        return self.graph.backend

    def restore(self, faces: Sequence[np.ndarray], *, s_lq: float | None = None) -> list[np.ndarray | None]:
        """Restores faces (R, R, 3) BGR uint8; returns as many of the same kind, None for one that is not finite."""
        check_faces(faces, self.face_size)
        if s_lq and not self.has_control:
            raise InputError(f'{self.graph.path.name}: s_lq needs a network with the control module')
        restored: list[np.ndarray | None] = []
        for start in range(0, len(faces), self.batch_size):
            restored += self._restore_batch(faces[start : start + self.batch_size], s_lq or 0.0)
        return restored

    def _restore_batch(self, faces: Sequence[np.ndarray], s_lq: float) -> list[np.ndarray | None]:
        inputs = {self._image: to_planes(faces)}
        if self.has_control:
            inputs[WEIGHT] = np.array([s_lq], np.float32)
        output = self.graph(inputs)[0]
        finite = np.isfinite(output).all(axis=(1, 2, 3))
        return [picture if ok else None for picture, ok in zip(to_pictures(output), finite, strict=True)]


def _graph_of(model: str | Path) -> Path:
    if str(model) == DEFAULT_MODEL:
        return shipped_graph(DEFAULT_MODEL)
    if Path(model).suffix == '.onnx':
        return Path(model)
    kind = 'model' if str(model) in manifest() else 'file'
    raise InputError(
        f'the backend onnx reads {DEFAULT_MODEL} and ONNX files: daefr export makes one of the {kind} {model}'
    )
