"""An ONNX graph that computes, and where; ONNX Runtime is all that it needs."""

import hashlib
import logging
import os
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from daefr_arch.downloads import find
from daefr_arch.errors import InputError, WeightsError

_logger = logging.getLogger(__name__)

CPU = 'CPUExecutionProvider'
# name of a device -> provider of ONNX Runtime
PROVIDERS = {
    'cpu': CPU,
    'cuda': 'CUDAExecutionProvider',
    'tensorrt': 'TensorrtExecutionProvider',
    'migraphx': 'MIGraphXExecutionProvider',
    'openvino': 'OpenVINOExecutionProvider',
    'dml': 'DmlExecutionProvider',
    'coreml': 'CoreMLExecutionProvider',
}
# of inputs
TYPES = {'tensor(float)': np.float32, 'tensor(double)': np.float64, 'tensor(uint8)': np.uint8}
WEIGHTS_HEADER = 'weights_header_sha256'  # of a graph whose weights lie in a safetensors file beside it


class OnnxGraph:
    """A file of a graph, loaded. Calling it with arrays by the names of the inputs gives those of the outputs.

    Args:
        path: of the graph; its weights may lie in a file beside it.
        device: 'auto' (CUDA where this ONNX Runtime has it, else the CPU) or what `provider_of` takes.

    Attributes:
        provider: that was really taken; where it is not the one of the device, a warning says so.
        device: its name.
        words: what the file says of itself.

    Raises InputError for a device that this ONNX Runtime does not have, WeightsError for a file that is missing or
    damaged, or does not belong to the weights beside it.
    """

    def __init__(self, path: str | Path, *, device: str = 'auto') -> None:
        self.path = Path(path)
        self._asked = device
        self._load()

    def _load(self) -> None:
        runtime = _onnxruntime()
        wanted, options = provider_of(self._asked)
        if not self.path.is_file():
            raise WeightsError(f'no ONNX file at {self.path}')
        settings = runtime.SessionOptions()
        settings.log_severity_level = 3  # what matters comes as an error, or is said here
        settings.intra_op_num_threads = int(os.environ.get('OMP_NUM_THREADS') or 0)  # as PyTorch takes it
        providers: list[Any] = [CPU] if wanted == CPU else [(wanted, options), CPU]
        try:
            self._session = runtime.InferenceSession(str(self.path), settings, providers=providers)
        except Exception as error:
            reason = (str(error).splitlines() or [''])[0][:300]
            raise WeightsError(f'{self.path}: expected an ONNX network, ONNX Runtime says: {reason}') from error
        self.words: dict[str, str] = self._session.get_modelmeta().custom_metadata_map
        self._check_weights()
        self.provider: str = self._session.get_providers()[0]
        taken = next((name for name, provider in PROVIDERS.items() if provider == self.provider), self.provider)
        self.device = f'{taken}:{options["device_id"]}' if options and self.provider == wanted else taken
        if self.provider != wanted:
            _logger.warning(
                '%s: %s cannot be used here, it computes with %s, which may be far slower',
                self.path.name,
                wanted,
                self.provider,
            )

    def _check_weights(self) -> None:
        """Places and types of the numbers in the file beside it are those that the graph was written for."""
        expected = self.words.get(WEIGHTS_HEADER)
        if expected is None:
            return
        weights = self.path.with_suffix('.safetensors')
        if header_hash(weights) != expected:
            raise WeightsError(f'{self.path} was made for other weights than {weights.name}: make graphs')

    @property
    def backend(self) -> str:
        """What computes, and where, for the report."""
        return f'ONNX Runtime, {self.provider}'

    def shape(self, name: str) -> list[int | str] | None:
        """Of an input, names standing for any number; None where there is no such input."""
        return next((of.shape for of in self._session.get_inputs() if of.name == name), None)

    def __call__(self, inputs: Mapping[str, np.ndarray]) -> list[np.ndarray]:
        """The outputs, in order. Inputs get the types that the graph has."""
        given = {of.name: inputs[of.name].astype(TYPES.get(of.type), copy=False) for of in self._session.get_inputs()}
        return [np.asarray(output) for output in self._session.run(None, given)]

    def __getstate__(self) -> dict[str, Any]:
        """Without the session: another process loads the file again."""
        return {'path': self.path, '_asked': self._asked}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._load()


def shipped_graph(name: str) -> Path:
    """The graph of a network that is part of the project. Raises WeightsError where it is not at hand."""
    weights = find(name)
    if weights is None:
        raise WeightsError(f'{name} is not at hand')
    return weights.with_suffix('.onnx')


def provider_of(device: str) -> tuple[str, dict[str, int]]:
    """The provider of ONNX Runtime for a device, and its options.

    device: 'auto', a name of PROVIDERS, 'cuda:1', or a provider's own name.

    Raises:
        InputError: an unknown name, or a provider that this ONNX Runtime does not have.
    """
    there = _onnxruntime().get_available_providers()
    if device == 'auto':
        return next((name for name in (PROVIDERS['cuda'],) if name in there), CPU), {}
    name, _, index = device.partition(':')
    provider = PROVIDERS.get(name, name)
    if provider not in (*PROVIDERS.values(), *there) or (index and not index.isdigit()):
        raise InputError(f'device: expected auto, {", ".join(PROVIDERS)} or cuda:1, got {device!r}')
    if provider not in there:
        raise InputError(
            f'device: {device} is not available here, this ONNX Runtime has {", ".join(there)}; use auto or cpu, or '
            'install the package with it, as onnxruntime-gpu for cuda'
        )
    return provider, {'device_id': int(index)} if index else {}


def header_hash(weights: Path) -> str:
    """SHA-256 of what a safetensors file says of its tensors: their places, types and shapes."""
    try:
        with weights.open('rb') as stream:
            size = stream.read(8)
            return hashlib.sha256(size + stream.read(struct.unpack('<Q', size)[0])).hexdigest()
    except (OSError, struct.error, OverflowError, MemoryError) as error:
        raise WeightsError(f'{weights}: expected the weights of {weights.stem}.onnx: {error}') from error


def _onnxruntime() -> Any:
    try:
        import onnxruntime
    except ImportError as error:
        raise InputError(f'the backend onnx needs ONNX Runtime: pip install onnxruntime ({error})') from error
    return onnxruntime
