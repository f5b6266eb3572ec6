"""A PyTorch module as an ONNX model."""

import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from daefr_arch.errors import InputError, UsageError
from daefr_arch.version import __version__

if TYPE_CHECKING:
    import onnx

OPSET = 21  # the first whose GroupNormalization has its statistics in float32
LARGEST = 2**31 - 2**20  # bytes; a protobuf of 2 GiB cannot be written
_TALKATIVE = ('torch.onnx', 'onnxscript', 'onnx_ir')  # libraries that log each step
EXTRA = "pip install 'daefr_arch[export]'"


def check_exporter() -> None:
    """Raises UsageError where what an export needs is not installed."""
    try:
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise UsageError(f'an export needs an extra: {EXTRA} ({error})') from error
    version = tuple(int(part) for part in torch.__version__.split('.')[:2])
    if version < (2, 9):
        raise UsageError(f'an export needs PyTorch 2.9 or later, this is {torch.__version__}')


@torch.no_grad()
def to_onnx(
    module: nn.Module,
    inputs: Mapping[str, Tensor],
    outputs: Sequence[str],
    properties: Mapping[str, str],
    *,
    any_side: bool = False,
) -> 'onnx.ModelProto':
    """The module with the weights in the model.

    Args:
        module: in eval mode, on the CPU.
        inputs: name -> example, as `forward` takes them in order. The first dimension of those with four is the batch,
            of any size; give two or more there, so that nothing of the batch is taken for a constant.
        outputs: names of what `forward` gives, in order.
        properties: what the model says of itself.
        any_side: those are pictures (N, H, W, C), of any height and width.

    Raises InputError where the weights are too many for one file.
    """
    size = sum(tensor.nbytes for tensor in (*module.parameters(), *module.buffers()))
    if size > LARGEST:
        raise InputError(
            f'expected a network of less than 2 GB, which is what an ONNX file holds, got {size / 1e9:.1f}'
        )
    batch = torch.export.Dim('batch', min=1)
    sides = {1: torch.export.Dim('height', min=1), 2: torch.export.Dim('width', min=1)} if any_side else {}
    dimensions = tuple({0: batch, **sides} if example.ndim == 4 else {} for example in inputs.values())
    with _quiet():
        program = torch.onnx.export(
            module,
            tuple(inputs.values()),
            input_names=list(inputs),
            output_names=list(outputs),
            opset_version=OPSET,
            dynamo=True,
            dynamic_shapes=dimensions,
            external_data=False,
            verbose=False,
        )
    assert program is not None
    model = program.model_proto
    _forget_traces(model)
    model.producer_name, model.producer_version = 'daefr_arch', __version__
    for key, value in properties.items():
        model.metadata_props.add(key=key, value=value)
    return model


def _forget_traces(model: 'onnx.ModelProto') -> None:
    """Removes what the exporter notes of every node: paths and lines of this machine's source code."""
    graph = model.graph
    described: list[Any] = [graph, *graph.node, *graph.input, *graph.output, *graph.value_info, *graph.initializer]
    for part in described:
        del part.metadata_props[:]
        part.doc_string = ''
    del model.metadata_props[:]
    del graph.value_info[:]


@contextmanager
def _quiet() -> Iterator[None]:
    """Keeps the exporter's notes of its own steps to itself."""
    loggers = [logging.getLogger(name) for name in _TALKATIVE]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
