"""What restores aligned faces, whatever computes it."""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from daefr_arch.errors import InputError


class RestorationNetwork(Protocol):
    """`FaceNetwork`, by PyTorch, or `OnnxFaceNetwork`.

    face_size: side R of its faces in pixels. batch_size: faces a pass at most. device: as text a torch.device, or what
    `provider_of` takes. precisions: as text the number format. backend: what computes, and where, for the report.
    """

    face_size: int
    batch_size: int

    @property
    def device(self) -> Any: ...

    @property
    def precisions(self) -> Any: ...

    @property
    def backend(self) -> str: ...

    def restore(self, faces: Sequence[np.ndarray], *, s_lq: float | None = None) -> list[np.ndarray | None]:
        """Restores faces (R, R, 3) BGR uint8; returns as many of the same kind, None for one that is not finite."""


def check_faces(faces: Sequence[np.ndarray], side: int) -> None:
    """Raises InputError where one is no aligned face (side, side, 3) BGR uint8."""
    for face in faces:
        if face.shape != (side, side, 3) or face.dtype != np.uint8:
            raise InputError(f'expected aligned faces ({side}, {side}, 3) BGR uint8, got {face.dtype} {face.shape}')
