"""Running the restoration network on aligned faces: batches, precision, memory, and what is done when it fails."""

import logging
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext

import numpy as np
import torch
from torch import nn

from daefr_arch.errors import InputError

logger = logging.getLogger(__name__)

PRECISIONS = ('auto', 'fp32', 'tf32', 'bf16', 'fp16')
AUTOCAST_TYPES = {'bf16': torch.bfloat16, 'fp16': torch.float16}


def resolve_device(device: str | torch.device) -> torch.device:
    """The device of 'auto' (CUDA, else MPS, else CPU) or of a name. Raises InputError where it is not there."""
    if device == 'auto':
        if torch.cuda.is_available():
            return torch.device('cuda')
        return torch.device('mps' if torch.backends.mps.is_available() else 'cpu')
    try:
        resolved = torch.device(device)
        torch.empty(1, device=resolved)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f'device: {device!s} is not available here ({reason}); use auto or cpu') from error
    return resolved


def resolve_precision(precision: str, device: torch.device) -> str:
    """The precision of 'auto': the fastest one that the device computes natively. Raises InputError for others."""
    if precision not in PRECISIONS:
        raise InputError(f'precision: expected one of {", ".join(PRECISIONS)}, got {precision!r}')
    if precision != 'auto':
        return precision
    if device.type == 'cuda':
        return 'fp16'
    if device.type == 'cpu' and torch.cpu._is_avx512_bf16_supported():
        return 'bf16'
    return 'fp32'


class FaceNetwork:
    """A network that restores aligned faces, `network(x, s_lq) -> (restored, ...)`, RGB in [-1, 1], at `.resolution`.

    device, precision: as resolve_device and resolve_precision take them. batch_size: faces a pass at most.
    """

    def __init__(
        self,
        network: nn.Module,
        *,
        device: str | torch.device = 'auto',
        precision: str = 'auto',
        batch_size: int = 8,
    ) -> None:
        if batch_size < 1:
            raise InputError(f'batch_size: expected 1 or more, got {batch_size}')
        self.device = resolve_device(device)
        self.precision = resolve_precision(precision, self.device)
        self.batch_size = batch_size
        self.face_size = int(network.resolution)  # type: ignore[arg-type]
        self.has_control = getattr(network, 'lq_control', None) is not None
        # float32 weights: a face whose output is not finite is tried again with them
        self.network = (
            network.float().to(self.device).to(memory_format=torch.channels_last).eval().requires_grad_(False)
        )

    def restore(self, faces: Sequence[np.ndarray], *, s_lq: float | None = None) -> list[np.ndarray | None]:
        """Restores faces (R, R, 3) BGR uint8; returns as many of the same kind, None where the output is not finite.

        Faces go through the network in batches, which are halved when memory runs out.
        """
        for face in faces:
            if face.shape != (self.face_size, self.face_size, 3) or face.dtype != np.uint8:
                expected = f'({self.face_size}, {self.face_size}, 3)'
                raise InputError(f'expected aligned faces {expected} BGR uint8, got {face.dtype} {face.shape}')
        restored: list[np.ndarray | None] = []
        while len(restored) < len(faces):
            batch = faces[len(restored) : len(restored) + self.batch_size]
            try:
                restored += self._restore_batch(batch, s_lq)
            except torch.OutOfMemoryError:
                if len(batch) == 1:
                    raise
                self.batch_size = len(batch) // 2
                logger.warning('out of memory with %d faces a batch: going on with %d', len(batch), self.batch_size)
                torch.cuda.empty_cache()
        return restored

    @torch.inference_mode()
    def _restore_batch(self, faces: Sequence[np.ndarray], s_lq: float | None) -> list[np.ndarray | None]:
        """One pass in the chosen precision; faces with non-finite output are tried once more in float32."""
        x = self._to_tensor(faces)
        output = self._run(x, s_lq, self.precision)
        finite = output.isfinite().flatten(1).all(dim=1)
        if not finite.all() and self.precision != 'fp32':
            logger.warning('non-finite output of %d faces in %s: again in fp32', int((~finite).sum()), self.precision)
            output[~finite] = self._run(x[~finite], s_lq, 'fp32')
            finite = output.isfinite().flatten(1).all(dim=1)
        pixels = output.clamp(-1, 1).add(1).mul(127.5).round().to(torch.uint8)
        images = pixels.flip(1).permute(0, 2, 3, 1).cpu().numpy()
        return [np.ascontiguousarray(image) if ok else None for image, ok in zip(images, finite.tolist(), strict=True)]

    def _to_tensor(self, faces: Sequence[np.ndarray]) -> torch.Tensor:
        """Faces BGR uint8 -> (B, 3, R, R) float32, RGB, in [-1, 1]."""
        pixels = torch.from_numpy(np.stack(faces)).to(self.device).permute(0, 3, 1, 2).flip(1)
        return (pixels.float() / 127.5 - 1).contiguous(memory_format=torch.channels_last)

    def _run(self, x: torch.Tensor, s_lq: float | None, precision: str) -> torch.Tensor:
        """The restored faces (B, 3, R, R), float32."""
        with precision_context(precision, self.device):
            return self.network(x, s_lq=s_lq)[0].float()


def precision_context(precision: str, device: torch.device) -> AbstractContextManager:
    """The context in which the network computes in `precision`."""
    if device.type == 'cuda':
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = precision == 'tf32'
    if precision in AUTOCAST_TYPES:
        return torch.autocast(device.type, dtype=AUTOCAST_TYPES[precision])
    return nullcontext()
