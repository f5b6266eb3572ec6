"""The names, types and sizes of CodeFormer's ONNX files, for programs that load those."""

from typing import TYPE_CHECKING

from torch import Tensor
from torch.nn import functional as F

from daefr_arch.errors import InputError

if TYPE_CHECKING:
    import onnx

SIDE = 512  # pixels of the faces that such programs hand over
INPUT, WEIGHT, OUTPUT = 'input', 'weight', 'output'


def side_ratio(resolution: int) -> int:
    """How many times the faces are shrunk for the network. Raises InputError where that is no whole number."""
    if SIDE % resolution:
        raise InputError(f"CodeFormer's layout needs a network whose side divides {SIDE}, this one has {resolution}")
    return SIDE // resolution


def shrink(faces: Tensor, resolution: int) -> Tensor:
    """(N, 3, 512, 512) -> (N, 3, R, R): means of squares of pixels."""
    return F.avg_pool2d(faces, side_ratio(resolution))


def enlarge(faces: Tensor) -> Tensor:
    """(N, 3, R, R) -> (N, 3, 512, 512): bicubic."""
    return F.interpolate(faces, (SIDE, SIDE), mode='bicubic')


def to_codeformer_layout(model: 'onnx.ModelProto', resolution: int) -> None:
    """Changes an exported DAEFR in place: input (N, 3, 512, 512) float32, weight (1,) float64 where the network has it,
    output (N, 3, 512, 512) float32, code_index as before; faces of a smaller network are shrunk and enlarged inside.

    Raises InputError as side_ratio does.
    """
    import numpy as np
    from onnx import TensorProto, helper, numpy_helper

    ratio = side_ratio(resolution)
    graph = model.graph
    image, *weights = graph.input
    restored, code_index = graph.output
    shape: list[str | int | None] = ['batch', 3, SIDE, SIDE]
    before = [
        helper.make_node('AveragePool', [INPUT], [image.name], kernel_shape=[ratio, ratio], strides=[ratio, ratio])
    ]
    inputs = [helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, shape)]
    if weights:
        for node in graph.node:
            node.input[:] = ['s_lq' if name == weights[0].name else name for name in node.input]
        before.append(helper.make_node('Cast', [WEIGHT], ['s_lq'], to=TensorProto.FLOAT))
        inputs.append(helper.make_tensor_value_info(WEIGHT, TensorProto.DOUBLE, [1]))
    scales = numpy_helper.from_array(np.array([1, 1, ratio, ratio], np.float32), 'enlargement')
    graph.initializer.append(scales)
    after = helper.make_node('Resize', [restored.name, '', scales.name], [OUTPUT], mode='cubic', cubic_coeff_a=-0.75)
    nodes = [type(node).FromString(node.SerializeToString()) for node in (*before, *graph.node, after)]
    outputs = [helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, shape), code_index]
    outputs = [type(output).FromString(output.SerializeToString()) for output in outputs]
    for field, values in ((graph.node, nodes), (graph.input, inputs), (graph.output, outputs)):
        del field[:]
        field.extend(values)
