"""In which precision a network computes, on which device."""

import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, NamedTuple

import torch

from daefr_arch.choices import PRECISIONS
from daefr_arch.errors import InputError

REDUCED_TYPES = {'bf16': torch.bfloat16, 'fp16': torch.float16}
_tf32_lock = threading.RLock()


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
    """The precision of 'auto': the fastest one that the device computes natively. Raises InputError for others.

    It depends on what the device is, never on how fast it is at the moment: the same machine gives the same results.
    """
    if precision not in PRECISIONS:
        raise InputError(f'precision: expected one of {", ".join(PRECISIONS)}, got {precision!r}')
    if precision != 'auto':
        return precision
    if device.type == 'cuda':
        return 'fp16'
    if device.type == 'cpu' and has_amx():
        return 'bf16'
    return 'fp32'


def has_amx() -> bool:
    """Whether this CPU multiplies tiles of bf16 (AMX); with AVX512-BF16 alone bf16 needs 1.8 times float32's time."""
    supported = getattr(torch.cpu, '_is_amx_tile_supported', None)  # private, and not in the oldest PyTorch
    return supported is not None and bool(supported())


def mixed_type(amp: str | None, device: torch.device) -> torch.dtype | None:
    """The type of `train.amp`, None for float32. 'auto' is bf16 where the device multiplies in it: without AMX a CPU
    takes eight times as long as in float32."""
    if amp != 'auto':
        return None if amp is None else REDUCED_TYPES[amp]
    is_fast = torch.cuda.is_bf16_supported(including_emulation=False) if device.type == 'cuda' else has_amx()
    return torch.bfloat16 if is_fast and device.type in ('cuda', 'cpu') else None


class StagePrecisions(NamedTuple):
    """The precision of each stage of the network."""

    encoders: str
    code_prediction: str
    decoder: str

    def __str__(self) -> str:
        """As `fp32`, or by stage where they differ: `encoders fp32, code_prediction fp32, decoder bf16`."""
        if len(set(self)) == 1:
            return self.encoders
        return ', '.join(f'{stage} {precision}' for stage, precision in self._asdict().items())


def stage_precisions(precision: str, device: torch.device) -> StagePrecisions:
    """The stages' precisions: all the same, or for 'auto' reduced where hardly a code changes by it.

    Measured on degraded faces with the default model, share of the codes equal to float32's: encoders alone in fp16
    100 % but for one face with 98.8 %, in bf16 96.5 to 99.2 %; fusion and transformer alone in fp16 98.8 to 100 %, in
    bf16 96.1 to 98.4 %. In TF32, emulated by rounding the factors of every product, they give 99.2 to 100 %, after
    encoders in fp16 too, and GPUs that have it multiply faster in it than in float32. The decoder alone differs from
    float32's by 68 dB PSNR and more in fp16, by 45 dB in bf16.
    """
    fastest = resolve_precision(precision, device)
    if precision == 'auto' and fastest == 'fp16':
        return StagePrecisions('fp16', 'tf32', 'fp16')
    if precision == 'auto' and fastest == 'bf16':
        return StagePrecisions('fp32', 'fp32', 'bf16')
    return StagePrecisions(fastest, fastest, fastest)


@contextmanager
def precision_context(precision: str, device: torch.device) -> Iterator[None]:
    """Inside, a network with float32 weights computes in `precision`, whatever the program around it computes in.

    An autocast of the program does not reach inside, and its choice of TF32 is in force again at the end.
    """
    with _autocast(precision, device), _tf32(precision == 'tf32') if device.type == 'cuda' else nullcontext():
        yield


def _autocast(precision: str, device: torch.device) -> AbstractContextManager:
    dtype = REDUCED_TYPES.get(precision)
    if dtype is None and not torch.amp.is_autocast_available(device.type):
        return nullcontext()
    return torch.autocast(device.type, dtype=dtype, enabled=dtype is not None)


@contextmanager
def _tf32(allowed: bool) -> Iterator[None]:
    """Whether CUDA multiplies float32 numbers in TF32: a setting of the process, so one thread at a time is inside."""
    matmul: Any = torch.backends.cuda.matmul
    cudnn: Any = torch.backends.cudnn
    value: str | bool
    if hasattr(matmul, 'fp32_precision'):  # torch 2.9; a program that has set it can no longer read allow_tf32
        owners, name, value = (matmul, cudnn.conv), 'fp32_precision', ('tf32' if allowed else 'ieee')
    else:
        owners, name, value = (matmul, cudnn), 'allow_tf32', allowed
    with _tf32_lock:
        before = [getattr(owner, name) for owner in owners]
        try:
            for owner in owners:
                setattr(owner, name, value)
            yield
        finally:
            for owner, setting in zip(owners, before, strict=True):
                setattr(owner, name, setting)


def type_of(precision: str) -> torch.dtype:
    """The type of tensors in `precision`; float32 for 'tf32', which is a way to multiply it."""
    return REDUCED_TYPES.get(precision, torch.float32)
