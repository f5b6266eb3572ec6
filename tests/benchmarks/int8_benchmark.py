"""Whether the default model may compute in int8: codes, identity and seconds of its parts in ONNX Runtime.

Static quantization of the convolutions, per channel, from minima and maxima on half of the faces; the other half is
what is measured.
"""

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import onnx
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

from daefr_arch.checkpoints import load_network
from daefr_arch.commands.export import sample_faces
from daefr_arch.exporting.export import daefr_to_onnx
from daefr_arch.io.planes import to_pictures
from daefr_arch.io.tensors import to_tensor
from daefr_arch.metrics.face_embedding import build_embedder
from tests.benchmarks.onnx_benchmark import onnx_session
from tests.benchmarks.row import Row, alternate

PARTS = {'encoders': ('hq_encoder', 'lq_encoder'), 'decoder': ('decoder',)}
REPETITIONS = 5


def int8_rows() -> list[Row]:
    """Of each part alone, beside float32 in the same runtime: seconds a face, equal codes, cosine of the faces'
    identities (dlib)."""
    network = load_network(offline=True).requires_grad_(False)
    images = to_tensor(sample_faces(network.resolution)).numpy()
    known, new = images[::2], images[1::2]
    embedder = build_embedder('dlib')
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        plain, prepared = Path(folder, 'plain.onnx'), Path(folder, 'prepared.onnx')
        plain.write_bytes(daefr_to_onnx(network).SerializeToString())
        quant_pre_process(plain, prepared, skip_symbolic_shape=True)
        exact = _run(plain)
        expected_faces, expected_codes = exact(new)
        for part, modules in PARTS.items():
            path = Path(folder, f'{part}.onnx')
            _quantize(prepared, path, modules, known)
            run = _run(path)
            faces, codes = run(new)
            agreement = float((codes == expected_codes).mean())
            cosines = [
                float(embedder.embed(face) @ embedder.embed(expected))
                for face, expected in zip(to_pictures(faces), to_pictures(expected_faces), strict=True)
            ]
            seconds, baseline = alternate([lambda run=run: run(new), lambda: exact(new)], REPETITIONS)
            name = f'default model a face, ONNX Runtime, CPU, {part} in int8 (baseline: float32)'
            rows.append(Row(name, *([value / len(new) for value in times] for times in (seconds, baseline))))
            found = f'{agreement:.2%} of the codes, identity {np.mean(cosines):.4f}, the least {min(cosines):.4f}'
            rows.append(Row(f'parity, {part} in int8 (99 % and 0.99 are worth offering)', note=found))
    return rows


class _Faces(CalibrationDataReader):
    """One face after the other."""

    def __init__(self, images: np.ndarray) -> None:
        self._feeds = iter([_feed(image[None]) for image in images])

    def get_next(self) -> dict[str, np.ndarray] | None:
        return next(self._feeds, None)


def _feed(images: np.ndarray) -> dict[str, np.ndarray]:
    return {'image': images, 'weight': np.zeros(1, np.float32)}


def _run(path: Path) -> Callable[[np.ndarray], list[np.ndarray]]:
    session = onnx_session(path)
    return lambda images: session.run(None, _feed(images))


def _quantize(source: Path, path: Path, modules: Sequence[str], images: np.ndarray) -> None:
    convolutions = [
        node.name
        for node in onnx.load(source).graph.node
        if node.op_type == 'Conv' and any(f'{module}.' in node.input[1] for module in modules)
    ]
    if not convolutions:
        raise ValueError(f'no convolutions of {", ".join(modules)} in {source}')
    quantize_static(
        source,
        path,
        _Faces(images),
        quant_format=QuantFormat.QDQ,
        per_channel=True,
        reduce_range=True,  # without VNNI sums of products of 8 bits overflow
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        nodes_to_quantize=convolutions,
    )
