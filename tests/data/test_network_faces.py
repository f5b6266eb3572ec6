import cv2
import numpy as np
import pytest
from basicsr.data import build_dataset

from daefr_arch.data.network_faces import write_strips
from daefr_arch.runtime.face_network import FaceNetwork
from tests.data.faces import face
from tests.faces.photos import FakeNetwork


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / 'faces'
    folder.mkdir()
    for turn in range(3):
        cv2.imwrite(str(folder / f'{turn}.png'), np.rot90(face(64), turn))
    opt = {'name': 'photos', 'type': 'DAEFREvidenceDataset', 'dataroot_gt': str(folder), 'gt_size': 64}
    return build_dataset({**opt, 'blur_kernel_size': [7], 'blur_sigma': [0.1, 2], 'downsample_range': [1, 4]})


def test_strips_are_photo_network_and_truth_and_none_is_written_twice(photos, tmp_path):
    network = FaceNetwork(FakeNetwork(brightness=0.2), device='cpu')
    output = tmp_path / 'strips'
    assert write_strips(photos, network, output, count=2) == 2
    first = (output / '000000.png').read_bytes()
    assert write_strips(photos, network, output, count=5) == 3
    assert (output / '000000.png').read_bytes() == first
    strips = build_dataset({'name': 'strips', 'type': 'DAEFRHarmoniserDataset', 'dataroot_gt': str(output)})
    assert len(strips) == 5
    for sample in (strips[i] for i in range(5)):
        assert sample['lq'].shape == (3, 64, 64)
        assert sample['network'].mean() > sample['lq'].mean()  # the fake network brightens


def test_every_face_comes_once_an_epoch(photos, tmp_path):
    write_strips(photos, FaceNetwork(FakeNetwork(), device='cpu'), tmp_path / 'strips', count=3)
    truths = [cv2.imread(str(path))[:, 128:] for path in sorted((tmp_path / 'strips').iterdir())]
    differences = [np.abs(a.astype(int) - b).mean() for i, a in enumerate(truths) for b in truths[:i]]
    assert min(differences) > 10


def test_a_network_is_shown_a_part_of_the_photos_degraded_once_more(photos, tmp_path):
    network = FaceNetwork(FakeNetwork(), device='cpu')  # returns what it is shown
    shares = {'none': 0.0, 'some': 0.5, 'all': 1.0}
    changed = {}
    for name, share in shares.items():
        write_strips(photos, network, tmp_path / name, count=12, degraded_again=share)
        strips = [cv2.imread(str(path)).astype(int) for path in sorted((tmp_path / name).iterdir())]
        changed[name] = [np.abs(strip[:, :64] - strip[:, 64:128]).max() > 2 for strip in strips]
        truths = [cv2.imread(str(path))[:, 128:] for path in sorted((tmp_path / 'none').iterdir())]
        assert all((strip[:, 128:] == truth).all() for strip, truth in zip(strips, truths, strict=True))
    assert sum(changed['none']) == 0
    assert 0 < sum(changed['some']) < 12
    assert sum(changed['all']) == 12
