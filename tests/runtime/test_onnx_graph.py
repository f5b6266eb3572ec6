import logging
import pickle

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from daefr_arch.errors import InputError, WeightsError
from daefr_arch.runtime.onnx_face_network import OnnxFaceNetwork
from daefr_arch.runtime.onnx_graph import CPU, OnnxGraph, provider_of, shipped_graph


def write(path, nodes, *, image='image', side=64, weight=None, batch='batch', words=()):
    """A network of faces of these nodes, from `image` (and `weight`) to `restored`."""
    shape = [batch, 3, side, side]
    inputs = [helper.make_tensor_value_info(image, TensorProto.FLOAT, shape)]
    if weight is not None:
        inputs.append(helper.make_tensor_value_info('weight', weight, [1]))
    outputs = [helper.make_tensor_value_info('restored', TensorProto.FLOAT, shape)]
    model = helper.make_model(
        helper.make_graph(nodes, 'faces', inputs, outputs), opset_imports=[helper.make_opsetid('', 21)], ir_version=10
    )
    for key, value in words:
        model.metadata_props.add(key=key, value=value)
    onnx.save(model, path)
    return path


@pytest.fixture
def negative(tmp_path):
    return write(tmp_path / 'negative.onnx', [helper.make_node('Neg', ['image'], ['restored'])])


def grey(*levels, side=64):
    return [np.full((side, side, 3), level, np.uint8) for level in levels]


def test_faces_go_through_in_batches(negative, monkeypatch):
    network = OnnxFaceNetwork(negative, device='cpu', batch_size=2)
    sizes = []
    monkeypatch.setattr(network, 'graph', lambda inputs: sizes.append(len(inputs['image'])) or [-inputs['image']])
    restored = network.restore(grey(0, 10, 100, 200, 255))
    assert [int(face[0, 0, 0]) for face in restored] == [255, 245, 155, 55, 0]
    assert sizes == [2, 2, 1]


def test_a_face_that_is_not_finite_is_none(tmp_path):
    root = write(tmp_path / 'root.onnx', [helper.make_node('Sqrt', ['image'], ['restored'])])
    bright, dark = OnnxFaceNetwork(root, device='cpu').restore(grey(255, 10))
    assert bright.min() == 255
    assert dark is None


def test_the_strength_of_the_control_is_passed(tmp_path):
    path = write(
        tmp_path / 'w.onnx', [helper.make_node('Mul', ['image', 'weight'], ['restored'])], weight=TensorProto.FLOAT
    )
    network = OnnxFaceNetwork(path, device='cpu')
    assert network.has_control
    (half,), (none,) = network.restore(grey(255), s_lq=0.5), network.restore(grey(255))
    assert (half[0, 0, 0], none[0, 0, 0]) == (191, 128)


def test_files_for_other_programs_are_read(tmp_path):
    """CodeFormer's names, one face a pass."""
    nodes = [
        helper.make_node('Cast', ['weight'], ['s_lq'], to=TensorProto.FLOAT),
        helper.make_node('Mul', ['input', 's_lq'], ['restored']),
    ]
    path = write(tmp_path / 'c.onnx', nodes, image='input', batch=1, weight=TensorProto.DOUBLE)
    network = OnnxFaceNetwork(path, device='cpu')
    assert network.batch_size == 1
    assert [int(face[0, 0, 0]) for face in network.restore(grey(0, 255), s_lq=1.0)] == [0, 255]


def test_wrong_faces_options_and_files(negative, tmp_path):
    network = OnnxFaceNetwork(negative, device='cpu')
    with pytest.raises(InputError, match=r'expected aligned faces \(64, 64, 3\)'):
        network.restore(grey(1, side=32))
    with pytest.raises(InputError, match='control module'):
        network.restore(grey(1), s_lq=0.5)
    with pytest.raises(InputError, match='expected auto or fp32'):
        OnnxFaceNetwork(negative, device='cpu', precision='bf16')
    with pytest.raises(InputError, match='batch_size'):
        OnnxFaceNetwork(negative, device='cpu', batch_size=0)
    with pytest.raises(InputError, match='daefr export makes one of the model daefr'):
        OnnxFaceNetwork('daefr')
    with pytest.raises(WeightsError, match='no ONNX file'):
        OnnxFaceNetwork(tmp_path / 'none.onnx')
    (tmp_path / 'bad.onnx').write_bytes(b'<html>')
    with pytest.raises(WeightsError, match='expected an ONNX network'):
        OnnxFaceNetwork(tmp_path / 'bad.onnx')
    flat = write(tmp_path / 'other.onnx', [helper.make_node('Neg', ['x'], ['restored'])], image='x')
    with pytest.raises(WeightsError, match='an input image'):
        OnnxFaceNetwork(flat)


def test_another_process_loads_the_file_again(negative):
    network = OnnxFaceNetwork(negative, device='cpu')
    again = pickle.loads(pickle.dumps(network))
    assert np.array_equal(again.restore(grey(7))[0], network.restore(grey(7))[0])


def test_devices_are_providers_by_name(monkeypatch):
    there = ['CUDAExecutionProvider', 'OpenVINOExecutionProvider', CPU]
    monkeypatch.setattr(onnxruntime, 'get_available_providers', lambda: there)
    assert provider_of('cpu') == (CPU, {})
    assert provider_of('auto') == provider_of('cuda') == ('CUDAExecutionProvider', {})
    assert provider_of('cuda:1') == ('CUDAExecutionProvider', {'device_id': 1})
    assert provider_of('OpenVINOExecutionProvider') == provider_of('openvino')
    there[:2] = []
    assert provider_of('auto') == (CPU, {})
    with pytest.raises(InputError, match='cuda is not available here, this ONNX Runtime has CPUExecutionProvider'):
        provider_of('cuda')
    for device in ('gpu', 'cuda:x'):
        with pytest.raises(InputError, match='expected auto, cpu, cuda'):
            provider_of(device)


def test_a_silent_fall_to_the_cpu_is_said(negative, monkeypatch, caplog):
    """ONNX Runtime goes on with the CPU where a provider that it has cannot be used."""
    monkeypatch.setattr(onnxruntime, 'get_available_providers', lambda: ['CUDAExecutionProvider', CPU])
    session = onnxruntime.InferenceSession
    monkeypatch.setattr(
        onnxruntime, 'InferenceSession', lambda path, settings, providers: session(path, settings, providers=[CPU])
    )
    with caplog.at_level(logging.WARNING):
        graph = OnnxGraph(negative, device='cuda')
    assert 'CUDAExecutionProvider cannot be used here, it computes with CPUExecutionProvider' in caplog.text
    assert (graph.provider, graph.device, graph.backend) == (CPU, 'cpu', f'ONNX Runtime, {CPU}')


def test_a_graph_of_other_weights_is_refused(tmp_path):
    """A tensor of another place or type would be read as noise."""
    graph = shipped_graph('daefr-evidence')
    weights = graph.with_suffix('.safetensors').read_bytes()
    (tmp_path / graph.name).write_bytes(graph.read_bytes())
    with pytest.raises(WeightsError, match=r'expected an ONNX network, ONNX Runtime says: .* does not exist'):
        OnnxGraph(tmp_path / graph.name)
    (tmp_path / graph.name).with_suffix('.safetensors').write_bytes(weights)
    assert OnnxGraph(tmp_path / graph.name).words['name'] == 'daefr-evidence'
    (tmp_path / graph.name).with_suffix('.safetensors').write_bytes(weights.replace(b'"F16"', b'"F32"', 1))
    with pytest.raises(WeightsError, match='was made for other weights'):
        OnnxGraph(tmp_path / graph.name)
