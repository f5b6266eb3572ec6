"""Files of small networks beside PyTorch: float32, half the size, CodeFormer's layout; and checkpoints by the command.

In one module, so that the network is traced once: that takes most of an export's time.
"""

from collections import Counter

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto

from daefr_arch import checkpoints
from daefr_arch.checkpoints import weights_hash
from daefr_arch.commands import cli, exit_codes, export
from daefr_arch.errors import InputError
from daefr_arch.exporting import export as exporting
from daefr_arch.exporting.codeformer_layout import to_codeformer_layout
from daefr_arch.exporting.export import change, daefr_to_onnx
from daefr_arch.exporting.exported_network import ExportedDAEFR
from daefr_arch.exporting.parity import LIMITS, reference
from daefr_arch.version import __version__
from tests.exporting.networks import SIDE, SIZES, copy_of, faces, random_daefr, run, session, with_filled
from tests.golden_parameters import TABLE_5

CLOSE = {'rtol': 0, 'atol': 1e-4}  # of values in about [-1, 1]


@pytest.fixture(scope='module')
def network():
    return random_daefr(lq_control=True)


@pytest.fixture(scope='module')
def model(network):
    """What `network` is exported to; change copies of it only."""
    return daefr_to_onnx(network, {'note': 'of a test'})


@pytest.fixture(scope='module')
def file(model):
    return session(model)


@pytest.mark.parametrize('s_lq', [0.0, 0.5, 1.0])
@pytest.mark.parametrize('batch', [1, 3, 8])
def test_it_computes_what_pytorch_does(file, network, batch, s_lq):
    """At other batches than the example's, two."""
    x = faces(batch)
    restored, code_index = run(file, x, s_lq)
    expected, logits, _ = network(x, s_lq)
    np.testing.assert_array_equal(code_index, logits.argmax(2).numpy())
    np.testing.assert_allclose(restored, expected.numpy(), **CLOSE)


def test_weight_zero_leaves_the_control_out_exactly(file, model):
    """Also one that would give NaN."""
    broken = session(with_filled(model, 'lq_control.shift.2.bias', np.inf))
    np.testing.assert_array_equal(run(broken, faces(2), 0.0)[0], run(file, faces(2), 0.0)[0])
    assert not np.isfinite(run(broken, faces(2), 0.5)[0]).all()


@pytest.mark.parametrize('value', [np.nan, np.inf])
def test_a_face_that_is_not_finite_is_no_face(file, value):
    x = faces(3)
    x[1, 0, 5, 5] = value
    restored, code_index = run(file, x, 0.5)
    assert np.isnan(restored[1]).all()
    clean, clean_index = run(file, faces(3), 0.5)
    for other in (0, 2):
        np.testing.assert_allclose(restored[other], clean[other], **CLOSE)
        np.testing.assert_array_equal(code_index[other], clean_index[other])


def test_logits_that_are_not_finite_make_no_face(model):
    """Where every feature is finite: argmax would make codes of them."""
    restored, _ = run(session(with_filled(model, 'transformer.0.linear2.bias', np.nan)), faces(2), 0.0)
    assert np.isnan(restored).all()


def test_the_papers_network_without_control():
    network = random_daefr(**TABLE_5, fusion='paper', position_embedding='sine')
    file = session(daefr_to_onnx(network))
    assert [value.name for value in file.get_inputs()] == ['image']
    restored, code_index = run(file, faces(3))
    expected, logits, _ = network(faces(3))
    np.testing.assert_array_equal(code_index, logits.argmax(2).numpy())
    np.testing.assert_allclose(restored, expected.numpy(), **CLOSE)


def test_the_network_is_not_touched(network):
    before = weights_hash(network.state_dict())
    exported = ExportedDAEFR(network)
    assert exported.network.lq_encoder.conv_in is network.lq_encoder.conv_in
    x = faces(1)
    with torch.no_grad():
        torch.testing.assert_close(exported(x, torch.tensor([0.3]))[0], network(x, 0.3)[0])
    assert weights_hash(network.state_dict()) == before


def test_operators_are_the_native_ones(model, network):
    onnx.checker.check_model(model, full_check=True)
    (opset,) = model.opset_import
    assert (opset.domain, opset.version) == ('', 21)
    operators = Counter(node.op_type for node in model.graph.node)
    norms = sum(isinstance(module, torch.nn.GroupNorm) for module in network.modules())
    assert operators['GroupNormalization'] == norms
    assert operators['ArgMax'] == operators['ArgMin'] == 1
    assert not operators.keys() & {'InstanceNormalization', 'OneHot', 'ScatterElements', 'ConvTranspose'}
    codebook = next(node for node in model.graph.node if node.op_type == 'Gather' and 'code_index' in node.input)
    assert codebook.input[0].endswith('codebook.embedding.weight')


def test_what_it_says_of_itself(model, network):
    properties = {entry.key: entry.value for entry in model.metadata_props}
    assert properties['weights_sha256'] == weights_hash(network.state_dict())
    assert properties['resolution'] == str(SIDE)
    assert properties['range'] == '[-1, 1]'
    assert properties['channel_order'] == 'RGB'
    assert properties['note'] == 'of a test'
    assert properties['daefr_arch_version'] == __version__
    assert [value.name for value in model.graph.output] == ['restored', 'code_index']
    assert model.graph.input[0].type.tensor_type.shape.dim[0].dim_param == 'batch'


def test_nothing_of_this_machine_is_in_the_file(model):
    text = model.SerializeToString()
    assert b'.py' not in text
    assert b'site-packages' not in text


@pytest.fixture(scope='module')
def mixed(model):
    changed = copy_of(model)
    change(changed, precision='mixed', layout='daefr')
    return changed


def test_mixed_precision_is_half_the_size(model, mixed):
    onnx.checker.check_model(mixed, full_check=True)
    weights = [sum(len(tensor.raw_data) for tensor in of.graph.initializer) for of in (model, mixed)]
    assert weights[1] < 0.51 * weights[0]


def test_only_convolutions_compute_in_half_precision(mixed):
    """Norms, softmax, products and argmax take float32, whatever their weights are stored in."""
    halves = {tensor.name for tensor in mixed.graph.initializer if tensor.data_type == TensorProto.FLOAT16}
    users = set()
    for node in mixed.graph.node:
        if halves.intersection(node.input):
            users.add(node.op_type)
        to = next((attribute.i for attribute in node.attribute if attribute.name == 'to'), None)
        if node.op_type == 'Conv' or to == TensorProto.FLOAT16:
            halves.update(node.output)
        if node.op_type == 'Conv':
            assert halves.issuperset(node.input)
    assert users == {'Conv', 'Cast'}


@pytest.mark.parametrize('batch', [1, 3, 8])
def test_mixed_precision_beside_pytorch(mixed, network, batch):
    x = faces(batch)
    restored, code_index = run(session(mixed), x, 0.5)
    expected, codes = reference(network, x, 0.5)
    agreement = (code_index == codes.numpy()).mean()
    assert agreement >= LIMITS['mixed'].code_agreement
    error = np.square(restored - expected.numpy()).mean()
    assert error > 0  # else nothing was rounded
    assert 10 * np.log10(4 / error) > LIMITS['mixed'].psnr


@pytest.mark.parametrize('precision', ['fp32', 'mixed'])
@pytest.mark.parametrize('batch', [1, 3])
def test_codeformers_layout(model, network, batch, precision):
    changed = copy_of(model)
    change(changed, precision=precision, layout='codeformer')
    onnx.checker.check_model(changed, full_check=True)
    file = session(changed)
    assert [(value.name, value.type, value.shape[1:]) for value in file.get_inputs()] == [
        ('input', 'tensor(float)', [3, 512, 512]),
        ('weight', 'tensor(double)', []),
    ]
    assert file.get_outputs()[0].name == 'output'
    x = faces(batch, 512)
    output = file.run(None, {'input': x.numpy(), 'weight': np.array([0.7])})[0]
    small = torch.nn.functional.interpolate(x, (SIDE, SIDE), mode='area')
    expected = torch.nn.functional.interpolate(network(small, 0.7)[0], (512, 512), mode='bicubic')
    limit = 1e-4 if precision == 'fp32' else 0.3
    np.testing.assert_allclose(output, expected.numpy(), rtol=0, atol=limit)
    properties = {entry.key: entry.value for entry in changed.metadata_props}
    assert (properties['layout'], properties['precision'], properties['resolution']) == ('codeformer', precision, '512')


def test_codeformers_layout_of_a_side_that_does_not_fit(model):
    with pytest.raises(InputError, match='divides 512, this one has 96'):
        to_codeformer_layout(copy_of(model), 96)


def test_the_reference_is_float32s_without_control():
    network = random_daefr()
    restored, codes = reference(network, faces(2), None)
    torch.testing.assert_close(restored, network(faces(2))[0])
    assert codes.shape == (2, (SIDE // 2) ** 2)


@pytest.fixture
def checkpoint(network, tmp_path):
    path = tmp_path / 'small.safetensors'
    provenance = checkpoints.Provenance('control', iteration=7)
    options = {'type': 'DAEFR', **SIZES, 'lq_control': True}
    checkpoints.save_network(path, network.state_dict(), options, provenance=provenance)
    return path


@pytest.fixture
def exported_before(monkeypatch, model):
    """Tracing takes most of an export's time: the checkpoint's model was traced before."""

    def traced(_network: torch.nn.Module, properties: dict[str, str]) -> object:
        copy = copy_of(model)
        for key, value in properties.items():
            copy.metadata_props.add(key=key, value=value)
        return copy

    monkeypatch.setattr(exporting, 'daefr_to_onnx', traced)


def _images(side: int) -> list[np.ndarray]:
    return [((face.permute(1, 2, 0).numpy() + 1) * 127.5).astype(np.uint8) for face in faces(8, side)]


@pytest.mark.parametrize('precision', ['fp32', 'mixed'])
def test_a_checkpoint_by_its_file(exported_before, checkpoint, tmp_path, monkeypatch, precision):
    monkeypatch.setattr(export, 'sample_faces', _images)
    path = tmp_path / 'small.onnx'
    command = ['export', str(path), '-m', str(checkpoint), '--precision', precision]
    assert cli.main(command) == exit_codes.OK
    properties = {entry.key: entry.value for entry in onnx.load(path).metadata_props}
    assert properties['precision'] == precision
    assert '"stage": "control", "domain": null, "iteration": 7' in properties['provenance']
    assert properties['licence'] == 'not stated: that of the weights'
    assert cli.main(command) == exit_codes.USAGE  # it is there
    assert cli.main([*command, '--overwrite', '--layout', 'codeformer']) == exit_codes.OK


def test_a_file_that_computes_something_else_is_not_written(exported_before, checkpoint, tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(export, 'sample_faces', _images)
    state = checkpoints.read_checkpoint(checkpoint)
    state.state_dict['decoder.conv_out.bias'] += 0.05
    checkpoints.save_network(checkpoint, state.state_dict, state.options)
    words = 'small.onnx is not written: ONNX Runtime computes something else than PyTorch'
    before = sorted(tmp_path.iterdir())
    assert cli.main(['export', str(tmp_path / 'small.onnx'), '-m', str(checkpoint)]) == exit_codes.FAILED
    assert words in caplog.text
    assert sorted(tmp_path.iterdir()) == before
