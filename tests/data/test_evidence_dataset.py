import cv2
import numpy as np
import pytest
import torch
from basicsr.data import build_dataset

from daefr_arch.data.draw_sampler import Draw
from daefr_arch.errors import InputError
from tests.data.faces import face


@pytest.fixture
def folder(tmp_path):
    for turn in range(4):
        cv2.imwrite(str(tmp_path / f'{turn}.png'), np.rot90(face(64), turn))
    return tmp_path


def build(folder, **options):
    opt = {'name': 'photos', 'type': 'DAEFREvidenceDataset', 'dataroot_gt': str(folder), 'gt_size': 64}
    return build_dataset(
        {**opt, 'blur_kernel_size': [7], 'blur_sigma': [0.1, 2], 'downsample_range': [1, 4], **options}
    )


def test_a_sample_follows_from_seed_epoch_and_position(folder):
    dataset = build(folder)
    draws = [dataset[Draw(1, 2, 3)], dataset[Draw(1, 2, 3)], dataset[Draw(1, 3, 3)], dataset[Draw(1, 2, 4)]]
    assert torch.equal(draws[0]['lq'], draws[1]['lq'])
    assert torch.equal(draws[0]['gt'], draws[1]['gt'])
    assert not torch.equal(draws[0]['lq'], draws[2]['lq'])
    assert not torch.equal(draws[0]['lq'], draws[3]['lq'])


def test_truth_has_the_photos_tone(folder):
    dataset = build(folder, probabilities={'grey': 1.0, 'toned': 0.0, 'dark': 0.0, 'faded': 0.0})
    for key in ('gt', 'lq'):
        image = dataset[0][key] if key == 'gt' else build(folder, probabilities={'grey': 1.0, 'toned': 0.0})[0]['gt']
        assert (image.amax(0) - image.amin(0)).max() < 1e-5


def test_a_part_is_the_same_part_of_photo_and_truth(folder):
    dataset = build(folder, crop_size=32, probabilities={'untouched': 1.0})
    sample = dataset[2]
    assert sample['gt'].shape == (3, 32, 32)
    assert torch.allclose(sample['lq'], sample['gt'], atol=1.01 / 127.5)


def test_held_out_images_are_in_no_other_part(folder):
    training, held_out = build(folder, hold_out=2), build(folder, hold_out=2, held_out=True)
    assert len(training) == len(held_out) == 2
    assert not set(training.source.names) & set(held_out.source.names)


def test_a_warped_face_is_another_one_with_the_same_frame(folder):
    plain = build(folder, probabilities={'untouched': 1.0, 'toned': 0, 'grey': 0, 'dark': 0, 'faded': 0})
    warped = build(folder, warp=1.0, probabilities=plain.opt['probabilities'])
    difference = (plain[0]['gt'] - warped[0]['gt']).abs()
    assert difference.mean() > 0.02
    assert abs(plain[0]['gt'].mean() - warped[0]['gt'].mean()) < 0.15


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'target': 'lq'}, 'unknown option'),
        ({'probabilities': {'crack': 1.0}}, "did you mean 'cracks'"),
        ({'hold_out': 1}, 'hold_out: expected 0'),
        ({'held_out': True}, 'hold_out: expected 0'),
        ({'crop_size': 65}, 'crop_size: expected 1 to gt_size 64'),
    ],
)
def test_wrong_options_are_refused(folder, options, message):
    with pytest.raises(InputError, match=message):
        build(folder, **options)
