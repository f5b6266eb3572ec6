"""Graphs without weights of their own: they point into the safetensors file beside them.

Safetensors store numbers as ONNX does, so that the external data of a tensor can be a part of that file. What is stored
in half precision is cast when the graph is loaded.
"""

import json
import struct
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from daefr_arch.errors import WeightsError
from daefr_arch.io.file_hash import file_sha256
from daefr_arch.runtime.onnx_graph import WEIGHTS_HEADER, header_hash

if TYPE_CHECKING:
    from collections.abc import Iterable

    import onnx

WEIGHTS_HASH = 'weights_file_sha256'
TYPES = {'F16': np.float16, 'F32': np.float32}
LARGEST_OWN = 1024  # numbers of a tensor that stays in the graph: constants


class _Stored(NamedTuple):
    """A tensor of the file: its key, where its bytes begin, and its numbers."""

    key: str
    offset: int
    numbers: np.ndarray


def link_weights(model: 'onnx.ModelProto', weights: Path) -> None:
    """Takes the weights out of the model, in place: its tensors become references to `weights`, which it lies beside.

    Tensors are found by their names, which end with the key in the file, or by their numbers where a layer
    was replaced, or the exporter has transposed a matrix and named it anew.

    Raises:
        WeightsError: a tensor of the model is not in the file.
    """
    import onnx
    from onnx import helper, numpy_helper

    stored = _stored(weights)
    by_key = {of.key: of for of in stored}
    by_numbers = {_numbers_key(of.numbers): of for of in stored}
    by_transposed = {_numbers_key(of.numbers.T): of for of in stored if of.numbers.ndim == 2}
    graph = model.graph
    initializers: dict[str, onnx.TensorProto] = {}
    nodes: list[onnx.NodeProto] = []
    for tensor in graph.initializer:
        numbers = numpy_helper.to_array(tensor)
        source = next((by_key[key] for key in _ends(tensor.name) if key in by_key), None)
        transposed = False
        if source is None or not np.array_equal(source.numbers, numbers):
            source = by_numbers.get(_numbers_key(numbers))
        if source is None:
            source, transposed = by_transposed.get(_numbers_key(numbers)), True
        if source is None:
            if numbers.size > LARGEST_OWN:
                raise WeightsError(f'{weights}: {tensor.name} {numbers.shape} of the exported graph is not in the file')
            initializers[tensor.name] = tensor
            continue
        name = f'{source.key}.stored'
        initializers[name] = _reference(name, source, weights)
        cast = f'{tensor.name}.cast' if transposed else tensor.name
        nodes.append(helper.make_node('Cast', [name], [cast], to=onnx.TensorProto.FLOAT))
        if transposed:
            nodes.append(helper.make_node('Transpose', [cast], [tensor.name], perm=[1, 0]))
    nodes += graph.node
    del graph.initializer[:], graph.node[:]
    graph.initializer.extend(initializers.values())
    graph.node.extend(nodes)
    for key, value in ((WEIGHTS_HEADER, header_hash(weights)), (WEIGHTS_HASH, file_sha256(weights))):
        model.metadata_props.add(key=key, value=value)


def _stored(weights: Path) -> list[_Stored]:
    content = np.memmap(weights, np.uint8, 'r')
    start = 8 + struct.unpack('<Q', content[:8].tobytes())[0]
    tensors = []
    for key, entry in json.loads(content[8:start].tobytes()).items():
        if key != '__metadata__' and entry['dtype'] in TYPES:
            begin, end = (start + offset for offset in entry['data_offsets'])
            tensors.append(_Stored(key, begin, content[begin:end].view(TYPES[entry['dtype']]).reshape(entry['shape'])))
    return tensors


def _ends(name: str) -> 'Iterable[str]':
    """'network.decoder.weight', 'decoder.weight', 'weight'."""
    parts = name.split('.')
    return ('.'.join(parts[start:]) for start in range(len(parts)))


def _numbers_key(numbers: np.ndarray) -> tuple[tuple[int, ...], bytes]:
    return numbers.shape, np.ascontiguousarray(numbers, np.float32).tobytes()


def _reference(name: str, source: _Stored, weights: Path) -> 'onnx.TensorProto':
    from onnx import TensorProto, helper

    tensor = TensorProto(
        name=name,
        data_type=helper.np_dtype_to_tensor_dtype(source.numbers.dtype),
        dims=source.numbers.shape,
        data_location=TensorProto.EXTERNAL,
    )
    place = {'location': weights.name, 'offset': source.offset, 'length': source.numbers.nbytes}
    for key, value in place.items():
        tensor.external_data.add(key=key, value=str(value))
    return tensor
