from pathlib import Path

import numpy as np
import pytest
import torch
from facexlib.parsing.parsenet import ParseNet

from daefr_arch import DAEFRRestorer
from daefr_arch.errors import WeightsError
from daefr_arch.faces.face_parser import FaceParser
from tests.faces.photos import FakeNetwork, astronaut, nothing_shown


@pytest.fixture(scope='module')
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ParseNet that sees skin (class 1) everywhere."""
    network = ParseNet(in_size=512, out_size=512, parsing_ch=19)
    state = network.state_dict()
    state['out_mask_conv.conv2d.weight'].zero_()
    state['out_mask_conv.conv2d.bias'].copy_(torch.eye(19)[1])
    path = tmp_path_factory.mktemp('weights') / 'parsing_parsenet.pth'
    torch.save(state, path)
    return path


def test_parsed_mask(weights: Path) -> None:
    """All skin: 1 in the middle, 0 along the border, whatever the face's size."""
    mask = FaceParser(weights=weights).mask(astronaut()[:256, 100:356])
    assert mask.shape == (256, 256)
    assert mask.dtype == np.float32
    assert mask[128, 128] == pytest.approx(1, abs=1e-5)
    assert mask[0].max() == mask[:, -1].max() == 0
    assert 0.85 < mask.mean() < 1


def test_restorer_with_parsed_masks(weights: Path) -> None:
    restorer = DAEFRRestorer(
        FakeNetwork(brightness=0.5),
        mask='parse',
        parse_weights=weights,
        device='cpu',
        precision='fp32',
        upscale=1,
        fusion=nothing_shown(),
    )
    restored = restorer.enhance(astronaut())[2]
    assert (restored[110:140, 210:240] > astronaut()[110:140, 210:240]).all()


def test_wrong_weights(tmp_path: Path) -> None:
    path = tmp_path / 'other.pth'
    torch.save({'conv.weight': torch.zeros(3)}, path)
    with pytest.raises(WeightsError, match='ParseNet'):
        FaceParser(weights=path)
