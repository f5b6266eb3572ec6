"""An exported default model in ONNX Runtime beside the same network in PyTorch, and how near they are."""

import os
import tempfile
from pathlib import Path

import numpy as np
import onnxruntime
import torch

from daefr_arch.checkpoints import load_network
from daefr_arch.commands.export import sample_faces
from daefr_arch.exporting.export import change, daefr_to_onnx
from daefr_arch.exporting.parity import measure_parity
from daefr_arch.io.tensors import to_tensor
from daefr_arch.runtime.face_network import FaceNetwork
from tests.benchmarks.row import Row, alternate

REPETITIONS = 5
BATCH = 4
S_LQ = 0.5


def onnx_rows() -> list[Row]:
    """A face's seconds in each file, the baseline being PyTorch in float32 and as many threads; size and parity."""
    network = load_network(offline=True).requires_grad_(False)
    faces = sample_faces(network.resolution)
    x = to_tensor(faces[:BATCH])
    feed = {'image': x.numpy(), 'weight': np.array([S_LQ], np.float32)}
    in_torch = FaceNetwork(load_network(offline=True), device='cpu', precision='fp32')
    model = daefr_to_onnx(network)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for precision in ('fp32', 'mixed'):
            if precision != 'fp32':
                change(model, precision=precision, layout='daefr')
            path = Path(folder) / f'{precision}.onnx'
            path.write_bytes(model.SerializeToString())
            session = onnx_session(path)
            seconds, baseline = alternate(
                [lambda s=session: s.run(None, feed), lambda: in_torch.restore(faces[:BATCH], s_lq=S_LQ)], REPETITIONS
            )
            name = f'default model a face, ONNX Runtime, CPU, {precision}, batches of {BATCH}'
            rows.append(Row(name, [s / BATCH for s in seconds], [s / BATCH for s in baseline]))
            rows.append(Row(f'its file, {precision}', [os.path.getsize(path) / 1e6], unit='MB'))
            rows += [Row(f'parity, {precision}', note=str(p)) for p in measure_parity(path, network, faces)]
    return rows


def onnx_session(path: Path) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    return onnxruntime.InferenceSession(str(path), options, providers=['CPUExecutionProvider'])
