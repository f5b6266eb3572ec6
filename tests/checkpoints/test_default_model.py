"""What the default model's file promises: half precision, the control module, and the plain network below it."""

import cv2
import pytest
import torch
from torch.nn import functional as F

from daefr_arch import checkpoints
from daefr_arch.data.degradation import DegradationParams, degraded_image
from daefr_arch.io.tensors import to_tensor
from tests.models.stages import ROOT, write_faces

FILE = ROOT / 'weights/daefr_lite_256.safetensors'
MILD = {'kernel_size': 19, 'sigma_x': 1.5, 'sigma_y': 1.5, 'rotation': 0.0, 'downsample': 3.0}
NOISY = {'noise_sigma': 4.0, 'noise_seed': 0, 'jpeg_quality': 80}


@pytest.fixture(scope='module')
def network():
    return checkpoints.load_network(FILE)


@pytest.fixture(scope='module')
def faces(tmp_path_factory):
    """Two real faces and what Eq. 8 makes of them: (2, 3, 256, 256) each, RGB in [-1, 1]."""
    folder = write_faces(tmp_path_factory.mktemp('faces'), size=256)
    truths = [cv2.imread(str(folder / f'{name}_0.png')) for name in ('astronaut', 'hopper')]
    params = DegradationParams(**MILD, **NOISY)
    degraded = [degraded_image(face, params) for face in truths]
    return [torch.cat([to_tensor(face) for face in batch]) for batch in (truths, degraded)]


def test_it_is_stored_in_half_precision_with_the_control_module():
    checkpoint = checkpoints.read_checkpoint(FILE)
    assert checkpoint.options is not None
    assert checkpoint.options['lq_control']
    assert {value.dtype for value in checkpoint.state_dict.values()} == {torch.float16}
    assert FILE.stat().st_size < 45e6


@torch.no_grad()
def test_no_control_is_the_plain_network_to_the_bit(network, faces):
    checkpoint = checkpoints.read_checkpoint(FILE)
    plain = checkpoints.create_network({**checkpoint.options, 'lq_control': False}).eval()
    added = ('lq_codebook.', 'lq_control.')
    plain.load_state_dict({key: value for key, value in checkpoint.state_dict.items() if not key.startswith(added)})
    expected = plain(faces[1])[0]
    for s_lq in (None, 0, 0.0):
        assert torch.equal(network(faces[1], s_lq=s_lq)[0], expected)


@torch.no_grad()
def test_control_brings_the_face_nearer_to_the_truth(network, faces):
    truth, degraded = faces
    errors = [F.mse_loss(network(degraded, s_lq=s_lq)[0], truth).item() for s_lq in (0, 0.5, 1)]
    assert errors[0] > errors[1] > errors[2]
