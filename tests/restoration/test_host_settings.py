"""A program that restores photos may compute in its own precision: ours and the results stay what they are alone."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch
from basicsr.archs.rrdbnet_arch import RRDBNet
from facexlib.parsing.parsenet import ParseNet
from facexlib.recognition import arcface_arch
from torch import nn

from daefr_arch import DAEFRRestorer
from daefr_arch.archs.daefr_arch import DAEFR
from daefr_arch.checkpoints import load_network, save_network
from daefr_arch.faces import face_parser
from daefr_arch.faces.detector import build_detector
from daefr_arch.faces.face_parser import FaceParser
from daefr_arch.faces.retinaface import prior_boxes
from daefr_arch.metrics.face_embedding import ArcFaceEmbedder
from daefr_arch.restoration.real_esrgan import RealESRGANUpsampler
from tests.faces.photos import astronaut
from tests.golden_parameters import TINY_DAEFR

PARSE_SIZE = 128  # the same network, with fewer layers than for 512 pixels


@contextmanager
def default_dtype(dtype: torch.dtype) -> Iterator[None]:
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(torch.float32)


HOSTS = {
    'autocast': lambda: torch.autocast('cpu', torch.bfloat16),
    'float64': lambda: default_dtype(torch.float64),
    'float16': lambda: default_dtype(torch.float16),
}


class Backbone(nn.Sequential):
    """As facexlib's ArcFace is called, but small."""

    def __init__(self, **options: object) -> None:
        super().__init__(nn.Conv2d(3, 4, 3, stride=8), nn.Flatten(), nn.Linear(4 * 14 * 14, 16))


@pytest.fixture(scope='module')
def weights(tmp_path_factory: pytest.TempPathFactory) -> Callable[[nn.Module], Path]:
    """Writes the weights of a network."""
    folder = tmp_path_factory.mktemp('weights')

    def write(network: nn.Module) -> Path:
        path = folder / f'{type(network).__name__}.pth'
        torch.save(network.state_dict(), path)
        return path

    return write


@pytest.fixture(scope='module')
def parts(weights: Callable[[nn.Module], Path]) -> dict[str, Callable[[], np.ndarray]]:
    """What computes with a network, from its construction on."""
    torch.manual_seed(0)
    face, patch = astronaut()[:256, 100:356], astronaut()[:48, :64]
    parsenet = weights(ParseNet(in_size=PARSE_SIZE, out_size=PARSE_SIZE, parsing_ch=19))
    rrdbnet = weights(RRDBNet(num_in_ch=3, num_out_ch=3, scale=2, num_feat=8, num_block=1, num_grow_ch=4))
    backbone = weights(Backbone())
    tiny = parsenet.with_name('tiny.safetensors')
    save_network(tiny, DAEFR(**TINY_DAEFR).state_dict(), {'type': 'DAEFR', **TINY_DAEFR})

    def detect() -> np.ndarray:
        prior_boxes.cache_clear()
        (found,) = build_detector('retinaface_mobile0.25_onnx').detect(astronaut())
        return np.array([*found.box, found.score, *found.landmarks.ravel()])

    def restore(precision: str) -> np.ndarray:
        restorer = DAEFRRestorer(load_network(tiny), device='cpu', precision=precision, offline=True)
        return restorer.enhance(face, has_aligned=True)[1][0]

    return {
        'detector': detect,
        'network': lambda: restore('fp32'),
        'network in bf16': lambda: restore('bf16'),
        'parser': lambda: FaceParser(weights=parsenet).mask(face),
        'upsampler': lambda: RealESRGANUpsampler(weights=rrdbnet, device='cpu', precision='fp32').enhance(patch)[0],
        'embedder': lambda: ArcFaceEmbedder(weights=backbone).embed(face),
    }


@pytest.fixture(scope='module')
def alone() -> dict[str, np.ndarray]:
    """What each part computed in a program without settings of its own."""
    return {}


@pytest.mark.parametrize('part', ['detector', 'network', 'network in bf16', 'parser', 'upsampler', 'embedder'])
@pytest.mark.parametrize('host', HOSTS)
def test_the_same_numbers_as_alone(host, part, parts, alone, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arcface_arch, 'Backbone', Backbone)
    monkeypatch.setattr(face_parser, 'PARSE_SIZE', PARSE_SIZE)
    expected = alone[part] if part in alone else alone.setdefault(part, parts[part]())
    with HOSTS[host]():
        got = parts[part]()
    assert got.dtype == expected.dtype
    np.testing.assert_array_equal(got, expected)
