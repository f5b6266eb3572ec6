"""An ONNX model at half its size: weights and convolutions in half precision, everything else in float32."""

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import onnx

CONVOLUTIONS = ('Conv', 'ConvTranspose')


def to_mixed_precision(model: 'onnx.ModelProto') -> None:
    """Changes the model, of float32 with its weights inside, in place.

    Convolutions take and give half precision: they are nearly all of the work, and hardly change a code. Matrix
    products, which decide the codes, have their weights stored in half precision and compute in float32, as do norms,
    softmax, sums and argmax; so nothing but a convolution's input and output is ever rounded.
    """
    from onnx import TensorProto, helper, numpy_helper

    graph = model.graph
    biases = {node.input[2] for node in graph.node if node.op_type in CONVOLUTIONS and len(node.input) > 2}
    halved = set()
    for tensor in graph.initializer:
        if tensor.data_type == TensorProto.FLOAT and (len(tensor.dims) > 1 or tensor.name in biases):
            half = numpy_helper.to_array(tensor).astype(np.float16)
            tensor.CopyFrom(numpy_helper.from_array(half, tensor.name))
            halved.add(tensor.name)
    nodes: list[onnx.NodeProto] = []
    cast_names: dict[str, str] = {}

    def cast(name: str, to: int) -> str:
        """The name of the value in another type."""
        if name not in cast_names:
            cast_names[name] = f'{name}_{"half" if to == TensorProto.FLOAT16 else "float"}'
            nodes.append(helper.make_node('Cast', [name], [cast_names[name]], to=to))
        return cast_names[name]

    for node in graph.node:
        convolves = node.op_type in CONVOLUTIONS
        for index, name in enumerate(node.input):
            if name and (name in halved) != convolves:
                node.input[index] = cast(name, TensorProto.FLOAT16 if convolves else TensorProto.FLOAT)
        nodes.append(node)
        if convolves:
            result = node.output[0]
            node.output[0] = f'{result}_convolved'
            nodes.append(helper.make_node('Cast', [node.output[0]], [result], to=TensorProto.FLOAT))
    kept = [type(node).FromString(node.SerializeToString()) for node in nodes]
    del graph.node[:]
    graph.node.extend(kept)
