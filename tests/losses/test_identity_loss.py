import numpy as np
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper, save

from daefr_arch.errors import WeightsError
from daefr_arch.losses.identity_loss import DAEFRIdentityLoss


@pytest.fixture(scope='module')
def onnx_file(tmp_path_factory):
    """An embedding network with the shape of a real one: batch size 1 built in, strided convolution, tanh, flatten."""
    weight = np.random.default_rng(0).normal(size=(4, 3, 28, 28)).astype(np.float32) / 50
    nodes = [
        helper.make_node('Conv', ['face', 'weight'], ['map'], strides=[28, 28], kernel_shape=[28, 28]),
        helper.make_node('Tanh', ['map'], ['bounded']),
        helper.make_node('Reshape', ['bounded', 'shape'], ['embedding']),
    ]
    constants = [
        numpy_helper.from_array(weight, 'weight'),
        numpy_helper.from_array(np.array([1, -1], np.int64), 'shape'),
    ]
    face = helper.make_tensor_value_info('face', TensorProto.FLOAT, [1, 3, 112, 112])
    embedding = helper.make_tensor_value_info('embedding', TensorProto.FLOAT, [1, 64])
    graph = helper.make_graph(nodes, 'embedding', [face], [embedding], constants)
    path = tmp_path_factory.mktemp('identity') / 'embedding.onnx'
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid('', 13)]), path)
    return str(path)


def test_embeddings_of_a_batch_equal_those_of_single_faces(onnx_file):
    loss = DAEFRIdentityLoss(onnx_file)
    faces = torch.rand(3, 3, 64, 64) * 2 - 1
    batch = loss.embed(faces)
    torch.testing.assert_close(batch, torch.cat([loss.embed(face[None]) for face in faces]))
    torch.testing.assert_close(batch.norm(dim=1), torch.ones(3))


def test_is_one_minus_cosine_and_trains_the_image_only(onnx_file):
    loss = DAEFRIdentityLoss(onnx_file, loss_weight=2.0).train()
    x, target = (torch.rand(2, 3, 64, 64) * 2 - 1 for _ in range(2))
    assert loss(target, target).item() == pytest.approx(0, abs=1e-6)
    expected = 2 * (1 - torch.cosine_similarity(loss.embed(x), loss.embed(target)).mean())
    torch.testing.assert_close(loss(x, target), expected)
    x.requires_grad_()
    loss(x, target).backward()
    assert x.grad.abs().sum() > 0
    assert not any(parameter.requires_grad for parameter in loss.parameters())


def test_gradients(onnx_file):
    loss = DAEFRIdentityLoss(onnx_file).double()
    x, target = (torch.rand(1, 3, 12, 12, dtype=torch.float64) for _ in range(2))
    assert torch.autograd.gradcheck(lambda image: loss(image, target), (x.requires_grad_(),))


def test_missing_file(tmp_path):
    with pytest.raises(WeightsError, match='no face embedding network at'):
        DAEFRIdentityLoss(str(tmp_path / 'none.onnx'))
