"""The ONNX network of these tests returns its own input, which shows what the backend hands over."""

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx.helper import make_graph, make_model, make_node, make_opsetid, make_tensor_value_info

from daefr_arch.checkpoints import MissingWeightsError
from daefr_arch.errors import InputError, WeightsError
from daefr_arch.faces.aligner import face_template
from daefr_arch.metrics.face_embedding import (
    ARCFACE_TEMPLATE_112,
    ArcFaceEmbedder,
    DlibEmbedder,
    OnnxEmbedder,
    arcface_crop,
    build_embedder,
)
from daefr_arch.metrics.ida_metric import embedding_angle


def save_flatten(path: Path, side: int) -> Path:
    tensors = [
        make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)
        for name, shape in (('in', [1, 3, side, side]), ('out', [1, 3 * side * side]))
    ]
    graph = make_graph([make_node('Flatten', ['in'], ['out'])], 'flatten', tensors[:1], tensors[1:])
    onnx.save(make_model(graph, ir_version=8, opset_imports=[make_opsetid('', 13)]), str(path))
    return path


def dots(points: np.ndarray, size: int) -> np.ndarray:
    """A black image with a soft white dot at each point."""
    y, x = np.mgrid[:size, :size]
    sigma = size / 64
    image = sum(np.exp(-((x - px) ** 2 + (y - py) ** 2) / (2 * sigma**2)) for px, py in points)
    return np.repeat((255 * np.clip(image, 0, 1))[:, :, None], 3, 2).astype(np.uint8)


@pytest.mark.parametrize('size', [128, 256, 512])
def test_crop_brings_the_template_to_insightfaces(size):
    crop = arcface_crop(dots(face_template(size), size))[:, :, 0].astype(float)
    y, x = np.mgrid[:112, :112]
    for px, py in ARCFACE_TEMPLATE_112:
        near = crop * ((x - px) ** 2 + (y - py) ** 2 < 36)
        centre = np.array([(near * x).sum(), (near * y).sum()]) / near.sum()
        assert np.abs(centre - (px, py)).max() < 2  # the two templates are not quite similar


def test_crop_needs_a_square_face(sharp):
    with pytest.raises(InputError, match='200x256'):
        arcface_crop(sharp[:, :200])


def test_onnx_network_gets_rgb_in_insightfaces_range(tmp_path, sharp):
    embedding = OnnxEmbedder(save_flatten(tmp_path / 'flatten.onnx', 112)).embed(sharp)
    rgb = arcface_crop(sharp)[:, :, ::-1].astype(float)
    expected = ((rgb - 127.5) / 128).transpose(2, 0, 1).ravel()
    assert embedding == pytest.approx(expected / np.linalg.norm(expected), abs=1e-7)


def test_onnx_files_that_do_not_fit(tmp_path):
    (tmp_path / 'broken.onnx').write_bytes(b'not a network')
    with pytest.raises(WeightsError, match='expected an ONNX network'):
        OnnxEmbedder(tmp_path / 'broken.onnx')
    with pytest.raises(WeightsError, match='expected an input'):
        OnnxEmbedder(save_flatten(tmp_path / 'large.onnx', 128))
    with pytest.raises(MissingWeightsError, match=r'absent\.onnx'):
        OnnxEmbedder(tmp_path / 'absent.onnx')


def test_arcface_is_facexlibs_network_on_rgb(tmp_path, sharp):
    from facexlib.recognition.arcface_arch import Backbone

    torch.manual_seed(0)
    network = Backbone(num_layers=50, drop_ratio=0.6, mode='ir_se').eval()
    torch.save(network.state_dict(), tmp_path / 'random.pth')
    embedding = ArcFaceEmbedder(weights=tmp_path / 'random.pth').embed(sharp)
    rgb = torch.from_numpy(arcface_crop(sharp)[:, :, ::-1].copy()).permute(2, 0, 1)[None].float()
    with torch.no_grad():
        expected = network(rgb / 127.5 - 1)[0].numpy()
        swapped = network(rgb.flip(1) / 127.5 - 1)[0].numpy()
    assert embedding == pytest.approx(expected, abs=1e-5)
    assert np.abs(embedding - swapped).max() > 1e-4


def test_arcface_without_its_file_names_it(tmp_path, monkeypatch, sharp):
    monkeypatch.setenv('DAEFR_HOME', str(tmp_path))
    with pytest.raises(MissingWeightsError, match=r'recognition_arcface_ir_se50\.pth'):
        ArcFaceEmbedder()
    torch.save({'weight': torch.zeros(2)}, tmp_path / 'recognition_arcface_ir_se50.pth')
    with pytest.raises(WeightsError, match='not the weights of Backbone'):
        ArcFaceEmbedder()


def test_dlib_tells_people_apart_and_sees_colours(sharp, degraded, other_face):
    embedder = DlibEmbedder()
    face, blurred, other = (embedder.embed(image) for image in (sharp, degraded, other_face))
    assert np.linalg.norm(face) == pytest.approx(1)
    assert embedding_angle(face, blurred) < embedding_angle(face, other)
    assert embedding_angle(face, embedder.embed(sharp[..., ::-1])) > 0.02


def test_unknown_backend():
    with pytest.raises(InputError, match=r'arcface, dlib or the path of an \.onnx'):
        build_embedder('facenet')
