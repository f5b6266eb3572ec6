"""Small DAEFRs with random weights, and ONNX Runtime sessions of what they are exported to."""

import numpy as np
import onnx
import onnxruntime
import torch
from torch import Tensor

from daefr_arch.archs.daefr_arch import DAEFR

SIDE = 32
SIZES = {'resolution': SIDE, 'ch': 32, 'ch_mult': (1, 2), 'num_res_blocks': 1, 'attn_resolutions': ()}
SIZES |= {'z_channels': 64, 'embed_dim': 64, 'codebook_size': 256, 'n_layers': 1, 'dim_embd': 64, 'dim_mlp': 64}


def random_daefr(**options: object) -> DAEFR:
    """A DAEFR of 32 pixels; what starts at zero or nearly so is random as well, so that every part counts."""
    torch.manual_seed(0)
    network = DAEFR(**{**SIZES, **options}).eval().requires_grad_(False)
    for name, parameter in network.named_parameters():
        if name.startswith(('position_embedding', 'lq_control.scale.2', 'lq_control.shift.2')):
            torch.nn.init.normal_(parameter, std=0.1)
        if name.endswith('codebook.embedding.weight'):  # codes far from each other: rounding turns none over
            torch.nn.init.normal_(parameter)
    return network


def faces(count: int, side: int = SIDE) -> Tensor:
    """(count, 3, side, side) in [-1, 1]."""
    return torch.rand(count, 3, side, side, generator=torch.Generator().manual_seed(count)) * 2 - 1


def session(model: onnx.ModelProto) -> onnxruntime.InferenceSession:
    """The model on the CPU, as any program loads it."""
    return onnxruntime.InferenceSession(model.SerializeToString(), providers=['CPUExecutionProvider'])


def copy_of(model: onnx.ModelProto) -> onnx.ModelProto:
    """For what changes models in place."""
    return onnx.ModelProto.FromString(model.SerializeToString())


def run(
    session: onnxruntime.InferenceSession, image: Tensor, s_lq: float | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """(restored, code_index); s_lq None: the session has no weight."""
    weight = {} if s_lq is None else {'weight': np.array([s_lq], np.float32)}
    restored, code_index = session.run(None, {'image': image.numpy(), **weight})
    return restored, code_index


def with_filled(model: onnx.ModelProto, name: str, value: float) -> onnx.ModelProto:
    """A copy whose one weight that is called so is `value` everywhere."""
    changed = copy_of(model)
    (tensor,) = (tensor for tensor in changed.graph.initializer if tensor.name.endswith(name))
    filled = np.full(tuple(tensor.dims), value, onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type))
    tensor.CopyFrom(onnx.numpy_helper.from_array(filled, tensor.name))
    return changed
