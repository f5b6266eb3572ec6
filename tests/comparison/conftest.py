"""Two real photos, blurred; and a network for them: the default architecture, tiny, with random weights."""

from pathlib import Path

import cv2
import pytest
import torch
from basicsr.archs import build_network

from daefr_arch.checkpoints import save_network
from daefr_arch.faces.detector import DetectedFace
from tests.faces.photos import ASTRONAUT_LANDMARKS, astronaut, grace_hopper

FACE = 64
OPTIONS = {
    'type': 'DAEFR',
    'resolution': FACE,
    'ch': 32,
    'ch_mult': (1, 2, 2),
    'num_res_blocks': 1,
    'codebook_size': 16,
    'dim_embd': 64,
    'n_layers': 1,
    'dim_mlp': 64,
}


class OneFace:
    """A detector that finds the astronaut's face in every photo that is not black."""

    def detect(self, img):
        return [DetectedFace((180, 60, 270, 180), 1.0, ASTRONAUT_LANDMARKS)] if img.any() else []


@pytest.fixture(scope='session')
def tiny_model(tmp_path_factory) -> Path:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp('weights') / 'tiny.safetensors'
    save_network(path, build_network(dict(OPTIONS)).state_dict(), OPTIONS)
    return path


@pytest.fixture
def photos(tmp_path) -> tuple[Path, Path]:
    """(blurred, sharp): folders of two photos with a face each."""
    folders = tmp_path / 'blurred', tmp_path / 'sharp'
    for folder in folders:
        folder.mkdir()
    for name, photo in (('astronaut', astronaut()), ('hopper', grace_hopper())):
        cv2.imwrite(str(folders[1] / f'{name}.png'), photo)
        cv2.imwrite(str(folders[0] / f'{name}.png'), cv2.GaussianBlur(photo, (0, 0), 2))
    return folders
