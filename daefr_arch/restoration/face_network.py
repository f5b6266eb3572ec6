"""Running the restoration network on aligned faces: batches, precision, memory, and what is done when it fails."""

import logging
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from typing import NamedTuple

import numpy as np
import torch
from torch import nn

from daefr_arch.archs.daefr_arch import DAEFR
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
    if device.type == 'cpu' and has_fast_bf16():
        return 'bf16'
    return 'fp32'


class StagePrecisions(NamedTuple):
    """The precision of each stage of the network."""

    encoders: str
    code_prediction: str
    decoder: str


def stage_precisions(precision: str, device: torch.device) -> StagePrecisions:
    """The stages' precisions: all the same, or for 'auto' reduced where no code of a face changes by it.

    Measured on degraded faces with the default model, share of the codes equal to float32's: encoders alone in fp16
    100 %, in bf16 97.6 to 99.2 %; fusion and transformer alone in fp16 98.8 to 100 %, in bf16 96.1 to 98.4 %. The
    decoder alone differs from float32's by 68 dB PSNR and more in fp16, by 49 dB and more in bf16.
    """
    fastest = resolve_precision(precision, device)
    if precision == 'auto' and fastest == 'fp16':
        return StagePrecisions('fp16', 'fp32', 'fp16')
    if precision == 'auto' and fastest == 'bf16':
        return StagePrecisions('fp32', 'fp32', 'bf16')
    return StagePrecisions(fastest, fastest, fastest)


@cache
def has_fast_bf16() -> bool:
    """Whether a 3x3 convolution on this CPU is faster in bf16 than in float32; takes about 0.1 s, once a process.

    The CPU's flags do not tell: an Intel CPU with AVX512-BF16 but without AMX needs 1.8 times float32's time.
    """
    if not torch.cpu._is_avx512_bf16_supported():
        return False
    seconds: dict[torch.dtype, list[float]] = {torch.float32: [], torch.bfloat16: []}
    for _ in range(4):
        for dtype, times in seconds.items():
            x = torch.ones(1, 128, 48, 48, dtype=dtype).to(memory_format=torch.channels_last)
            weight = torch.ones(128, 128, 3, 3, dtype=dtype)
            start = time.perf_counter()
            torch.nn.functional.conv2d(x, weight, padding=1)
            times.append(time.perf_counter() - start)
    return min(seconds[torch.bfloat16]) < 0.8 * min(seconds[torch.float32])


class FaceNetwork:
    """A network that restores aligned faces, `network(x, s_lq) -> (restored, ...)`, RGB in [-1, 1], at `.resolution`.

    device, precision: as resolve_device and resolve_precision take them; 'auto' is stage_precisions' choice for a
    DAEFR, and float32 for other networks, whose stages are unknown. batch_size: faces a pass at most.
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
        known = precision != 'auto' or isinstance(network, DAEFR)
        self.precisions = stage_precisions(precision if known else 'fp32', self.device)
        self.batch_size = batch_size
        self.face_size = int(network.resolution)  # type: ignore[arg-type]
        self.has_control = getattr(network, 'lq_control', None) is not None
        # GFPGAN cannot be computed in channels_last
        self.memory_format = getattr(network, 'memory_format', torch.channels_last)
        # float32 weights: a face whose output is not finite is tried again with them
        self.network = network.float().to(self.device).to(memory_format=self.memory_format).eval().requires_grad_(False)

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
        output = self._run(x, s_lq, self.precisions)
        finite = output.isfinite().flatten(1).all(dim=1)
        exact = stage_precisions('fp32', self.device)
        if not finite.all() and self.precisions != exact:
            name = '/'.join(dict.fromkeys(self.precisions))
            logger.warning('non-finite output of %d faces in %s: again in fp32', int((~finite).sum()), name)
            output[~finite] = self._run(x[~finite], s_lq, exact)
            finite = output.isfinite().flatten(1).all(dim=1)
        pixels = output.clamp(-1, 1).add(1).mul(127.5).round().to(torch.uint8)
        images = pixels.flip(1).permute(0, 2, 3, 1).cpu().numpy()
        return [np.ascontiguousarray(image) if ok else None for image, ok in zip(images, finite.tolist(), strict=True)]

    def _to_tensor(self, faces: Sequence[np.ndarray]) -> torch.Tensor:
        """Faces BGR uint8 -> (B, 3, R, R) float32, RGB, in [-1, 1]."""
        pixels = torch.from_numpy(np.stack(faces)).to(self.device).permute(0, 3, 1, 2).flip(1)
        return (pixels.float() / 127.5 - 1).contiguous(memory_format=self.memory_format)

    def _run(self, x: torch.Tensor, s_lq: float | None, precisions: StagePrecisions) -> torch.Tensor:
        """The restored faces (B, 3, R, R), float32."""
        if len(set(precisions)) == 1 or not isinstance(self.network, DAEFR):
            with precision_context(precisions.decoder, self.device):
                return self.network(x, s_lq=s_lq)[0].float()
        with precision_context(precisions.encoders, self.device):
            features = self.network.encode(x)
        hq_feature, lq_feature = (None if feature is None else feature.float() for feature in features)
        with precision_context(precisions.code_prediction, self.device):
            prediction = self.network.predict_codes(hq_feature, lq_feature)
        with precision_context(precisions.decoder, self.device):
            return self.network.decode(prediction.logits.argmax(2), prediction.lq_feature, s_lq).float()


def precision_context(precision: str, device: torch.device) -> AbstractContextManager:
    """The context in which the network computes in `precision`."""
    if device.type == 'cuda':
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = precision == 'tf32'
    if precision in AUTOCAST_TYPES:
        return torch.autocast(device.type, dtype=AUTOCAST_TYPES[precision])
    return nullcontext()
