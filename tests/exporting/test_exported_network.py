"""The float32 file of small networks beside PyTorch."""

from collections import Counter

import numpy as np
import onnx
import pytest
import torch

from daefr_arch.checkpoints import weights_hash
from daefr_arch.exporting.export import daefr_to_onnx
from daefr_arch.exporting.exported_network import ExportedDAEFR
from daefr_arch.version import __version__
from tests.exporting.networks import SIDE, faces, random_daefr, run, session, with_filled
from tests.golden_parameters import TABLE_5

CLOSE = {'rtol': 0, 'atol': 1e-4}  # of values in about [-1, 1]


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
    assert properties['licence'] == 'of a test'
    assert properties['daefr_arch_version'] == __version__
    assert [value.name for value in model.graph.output] == ['restored', 'code_index']
    assert model.graph.input[0].type.tensor_type.shape.dim[0].dim_param == 'batch'


def test_nothing_of_this_machine_is_in_the_file(model):
    text = model.SerializeToString()
    assert b'.py' not in text
    assert b'site-packages' not in text
