"""Running the restoration network on aligned faces: batches, memory, and what is done when it fails."""

import logging
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from daefr_arch.archs.daefr_arch import DAEFR
from daefr_arch.errors import InputError
from daefr_arch.io.tensors import to_images, to_tensor
from daefr_arch.runtime.cuda_graph import Forward, GraphedForward
from daefr_arch.runtime.heap import freed_memory_kept
from daefr_arch.runtime.precision import precision_context, resolve_device, stage_precisions
from daefr_arch.runtime.restoration_network import check_faces
from daefr_arch.runtime.staged_network import StagedNetwork

_logger = logging.getLogger(__name__)


class FaceNetwork:
    """A network that restores aligned faces, `network(x, s_lq) -> (restored, ...)`, RGB in [-1, 1], at `.resolution`.

    device, precision: as resolve_device and resolve_precision take them; 'auto' is stage_precisions' choice for a
    DAEFR, and float32 for other networks, whose stages are unknown. batch_size: faces a pass at most. compile: by
    torch.compile, of a DAEFR only; it takes minutes, less from the second start on, and only pays on a GPU.
    """

    def __init__(
        self,
        network: nn.Module,
        *,
        device: str | torch.device = 'auto',
        precision: str = 'auto',
        batch_size: int = 8,
        compile: bool = False,
    ) -> None:
        if batch_size < 1:
            raise InputError(f'batch_size: expected 1 or more, got {batch_size}')
        self.device = resolve_device(device)
        if compile and not isinstance(network, DAEFR):
            raise InputError(f'compile: expected a DAEFR network, got {type(network).__name__}')
        known = precision != 'auto' or isinstance(network, DAEFR)
        self.precisions = stage_precisions(precision if known else 'fp32', self.device)
        self.batch_size = batch_size
        self.face_size = int(network.resolution)  # type: ignore[arg-type]
        self.has_control = getattr(network, 'lq_control', None) is not None
        # GFPGAN cannot be computed in channels_last
        self.memory_format = getattr(network, 'memory_format', torch.channels_last)
        # float32 weights: a face whose output is not finite is tried again with them
        self.network = network.float().to(self.device).to(memory_format=self.memory_format).eval().requires_grad_(False)
        self.compile = compile
        self._forward = self._build_forward()

    @property
    def backend(self) -> str:
        """What computes, and where."""
        return f'PyTorch, {self.device}'

    def __getstate__(self) -> dict[str, Any]:
        """Without what is built from the rest: compiled code and CUDA graphs belong to their process."""
        return {name: value for name, value in vars(self).items() if name != '_forward'}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._forward = self._build_forward()

    def _build_forward(self) -> Forward:
        """(x, s_lq) -> restored faces, float32, in the chosen precisions."""
        forward: Forward = self._autocast_forward
        if isinstance(self.network, DAEFR):
            forward = StagedNetwork(self.network, self.precisions, compile=self.compile)
            if self.device.type == 'cuda':
                return GraphedForward(forward)
        return freed_memory_kept()(forward) if self.device.type == 'cpu' else forward

    def _autocast_forward(self, x: torch.Tensor, s_lq: float | None) -> torch.Tensor:
        """Of a network whose stages are unknown."""
        with precision_context(self.precisions.decoder, self.device):
            return self.network(x, s_lq=s_lq)[0].float()

    def _exact_forward(self, x: torch.Tensor, s_lq: float | None) -> torch.Tensor:
        with precision_context('fp32', self.device):
            return self.network(x, s_lq=s_lq)[0]

    def restore(self, faces: Sequence[np.ndarray], *, s_lq: float | None = None) -> list[np.ndarray | None]:
        """Restores faces (R, R, 3) BGR uint8; returns as many of the same kind, None for one that is not finite.

        Such a face, or in a DAEFR one whose features or logits are not finite, was tried once more in float32. Faces go
        through the network in batches, which are halved when memory runs out.
        """
        check_faces(faces, self.face_size)
        restored: list[np.ndarray | None] = []
        while len(restored) < len(faces):
            batch = faces[len(restored) : len(restored) + self.batch_size]
            try:
                restored += self._restore_batch(batch, s_lq)
            except torch.OutOfMemoryError:
                if len(batch) == 1:
                    raise
                self.batch_size = len(batch) // 2
                _logger.warning('out of memory with %d faces a batch: going on with %d', len(batch), self.batch_size)
                torch.cuda.empty_cache()
        return restored

    @torch.inference_mode()
    def _restore_batch(self, faces: Sequence[np.ndarray], s_lq: float | None) -> list[np.ndarray | None]:
        """One pass in the chosen precision; faces that are not finite are tried once more in float32."""
        x = to_tensor(faces, self.device).contiguous(memory_format=self.memory_format)
        output = self._forward(self._padded(x), s_lq)[: len(x)]
        finite = output.isfinite().flatten(1).all(dim=1)
        if not finite.all() and set(self.precisions) != {'fp32'}:
            count = int((~finite).sum())
            _logger.warning('not finite: %d faces in %s; they are computed again in fp32', count, self.precisions)
            output[~finite] = self._exact_forward(x[~finite], s_lq)
            finite = output.isfinite().flatten(1).all(dim=1)
        return [image if ok else None for image, ok in zip(to_images(output), finite.tolist(), strict=True)]

    def _padded(self, x: torch.Tensor) -> torch.Tensor:
        """For CUDA graphs, one a shape, the batch filled up with its last face to a power of two."""
        missing = (1 << (len(x) - 1).bit_length()) - len(x) if isinstance(self._forward, GraphedForward) else 0
        if missing == 0:
            return x
        return torch.cat((x, x[-1:].expand(missing, -1, -1, -1))).contiguous(memory_format=self.memory_format)
