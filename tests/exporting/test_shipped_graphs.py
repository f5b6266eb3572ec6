"""The graphs beside the weights of the project compute what PyTorch does: `make graphs` writes them again."""

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import save_file

from daefr_arch import checkpoints
from daefr_arch.choices import EMBEDDED_DETECTOR
from daefr_arch.errors import WeightsError
from daefr_arch.exporting.linked_weights import LARGEST_OWN, WEIGHTS_HASH, link_weights
from daefr_arch.exporting.shipped_graphs import SHIPPED
from daefr_arch.faces.detector import build_detector
from daefr_arch.faces.evidence import weights
from daefr_arch.io.file_hash import file_sha256
from daefr_arch.io.planes import to_planes
from daefr_arch.restoration.face_restorer import load_fusion
from daefr_arch.runtime.onnx_graph import OnnxGraph, shipped_graph
from tests.faces.photos import astronaut, grace_hopper

AGAIN = 'make graphs'


@pytest.mark.parametrize('name', SHIPPED)
def test_graphs_belong_to_the_weights_and_hold_none(name):
    path = shipped_graph(name)
    model = onnx.load(path, load_external_data=False)
    words = {entry.key: entry.value for entry in model.metadata_props}
    assert words[WEIGHTS_HASH] == file_sha256(path.with_suffix('.safetensors')), AGAIN
    assert words['licence'] == checkpoints.manifest()[name].licence
    own = [tensor for tensor in model.graph.initializer if not tensor.external_data]
    assert all(np.prod(tensor.dims, dtype=int) <= LARGEST_OWN for tensor in own)
    assert path.stat().st_size < 300_000


@pytest.fixture(scope='module')
def photos():
    """Three crops (3, 3, 256, 256): in colour, grey, and another face."""
    crops = [astronaut()[:256, 100:356], grace_hopper()[60:316, 100:356]]
    grey = np.repeat(crops[1].mean(axis=2, keepdims=True), 3, axis=2)
    return to_planes([crops[0].astype(np.float32), grey.astype(np.float32), crops[1].astype(np.float32)])


@pytest.fixture(scope='module')
def fusions():
    return [load_fusion(backend=backend, offline=True).networks for backend in ('torch', 'onnx')]


def test_the_network(photos):
    network = checkpoints.load_network(offline=True)
    with torch.inference_mode():
        expected, logits, _ = network(torch.from_numpy(photos))
    restored, codes = OnnxGraph(shipped_graph('daefr-lite'), device='cpu')({'image': photos})
    assert np.array_equal(codes, logits.argmax(2).numpy()), AGAIN
    assert np.abs(restored - expected.numpy()).max() < 2e-3, AGAIN


def test_the_evidence(photos, fusions):
    expected, got = (fusion.evidence(photos) for fusion in fusions)
    assert len(got) == len(expected)
    for ours, theirs in zip(got, expected, strict=True):
        assert np.abs(ours - theirs).max() < 1e-3, AGAIN


@pytest.mark.parametrize('strength', [0.0, 0.5, 1.0])
def test_the_fused_change(photos, fusions, strength):
    """Also of a grey photo, whose tones the network's face gets."""
    faces = np.ascontiguousarray(photos[::-1, :, :, ::-1])
    ratios = [
        np.random.default_rng(0).normal(-1.5, 1, map_.shape).astype(np.float32) for map_ in fusions[0].evidence(photos)
    ]
    expected, got = (fusion.change(photos, faces, weights(ratios), strength) for fusion in fusions)
    assert np.abs(expected).mean() > 0.05
    assert np.abs(got - expected).max() < 2e-4, AGAIN


@pytest.mark.parametrize('shape', [(1, 96, 96), (3, 75, 101), (2, 33, 250), (1, 1, 1)])
def test_the_detector_sees_pictures_of_any_size(shape):
    pictures = np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8)
    expected, got = (
        build_detector(EMBEDDED_DETECTOR, backend=backend, offline=True).network(pictures)
        for backend in ('torch', 'onnx')
    )
    for ours, theirs in zip(got, expected, strict=True):
        assert ours.shape == theirs.shape
        assert np.abs(ours - theirs).max() < 1e-4, AGAIN


def test_weights_are_found_by_name_by_numbers_and_transposed(tmp_path):
    rng = np.random.default_rng(0)
    stored = {
        'half.weight': rng.normal(size=(4, 3)).astype(np.float16),
        'whole.weight': rng.normal(size=(4, 5)).astype(np.float32),
        'other.weight': rng.normal(size=(5,)).astype(np.float32),
    }
    save_file(stored, tmp_path / 'net.safetensors')
    numbers = {
        'network.half.weight': stored['half.weight'].astype(np.float32),
        'val_7': np.ascontiguousarray(stored['whole.weight'].T),
        'renamed': stored['other.weight'],
    }
    nodes = [
        helper.make_node('MatMul', ['x', 'val_7'], ['y']),
        helper.make_node('MatMul', ['y', 'network.half.weight'], ['z']),
        helper.make_node('ReduceSum', ['renamed'], ['sum']),
        helper.make_node('Add', ['z', 'sum'], ['out']),
    ]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [2, size]) for name, size in (('x', 5), ('out', 3))]
    tensors = [numpy_helper.from_array(value, name) for name, value in numbers.items()]
    model = helper.make_model(
        helper.make_graph(nodes, 'net', ends[:1], ends[1:], tensors),
        opset_imports=[helper.make_opsetid('', 21)],
        ir_version=10,
    )
    link_weights(model, tmp_path / 'net.safetensors')
    (tmp_path / 'net.onnx').write_bytes(model.SerializeToString())
    assert {entry.value for tensor in model.graph.initializer for entry in tensor.external_data} > {'net.safetensors'}
    x = rng.normal(size=(2, 5)).astype(np.float32)
    expected = x @ numbers['val_7'] @ numbers['network.half.weight'] + numbers['renamed'].sum()
    np.testing.assert_allclose(OnnxGraph(tmp_path / 'net.onnx', device='cpu')({'x': x})[0], expected, rtol=1e-5)


def test_weights_that_are_not_in_the_file_are_no_secret(tmp_path):
    save_file({'a': np.zeros(3, np.float32)}, tmp_path / 'net.safetensors')
    tensor = numpy_helper.from_array(np.ones((40, 40), np.float32), 'b')
    model = helper.make_model(helper.make_graph([], 'net', [], [], [tensor]))
    with pytest.raises(WeightsError, match=r'b \(40, 40\) of the exported graph is not in the file'):
        link_weights(model, tmp_path / 'net.safetensors')
