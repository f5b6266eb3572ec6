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
    images = [face(64) // 4, face(64) // 2, face(64)]
    cv2.imwrite(str(tmp_path / 'strip.png'), np.concatenate(images, 1))
    return tmp_path


def build(folder, **options):
    return build_dataset({'name': 'strips', 'type': 'DAEFRHarmoniserDataset', 'dataroot_gt': str(folder), **options})


def test_a_strip_holds_photo_network_and_truth(folder):
    sample = build(folder)[0]
    expected = face(64)[..., ::-1].transpose(2, 0, 1)
    for key, divisor in (('lq', 4), ('network', 2), ('gt', 1)):
        pixels = (sample[key] + 1) * 127.5
        assert np.allclose(pixels.numpy(), expected // divisor, atol=1e-3)


def test_variation_is_the_networks_alone_and_follows_from_the_draw(folder):
    plain, varied = build(folder)[0], build(folder, vary=1.0)
    samples = [varied[Draw(0, epoch, 0)] for epoch in (0, 0, 1)]
    assert torch.equal(samples[0]['network'], samples[1]['network'])
    assert not torch.equal(samples[0]['network'], samples[2]['network'])
    for key in ('lq', 'gt'):
        assert torch.equal(samples[0][key], plain[key])
    assert 0.005 < (samples[0]['network'] - plain['network']).abs().mean() < 0.5


def test_flips_and_parts_keep_the_images_together(folder):
    dataset = build(folder, use_hflip=True, crop_size=32)
    for epoch in range(6):
        sample = dataset[Draw(0, epoch, 0)]
        photo, truth = ((sample[key] + 1) * 127.5 for key in ('lq', 'gt'))
        assert photo.shape == (3, 32, 32)
        assert torch.equal(photo.round(), (truth / 4 + 1e-3).floor())


def test_an_image_that_is_no_strip_is_refused(folder):
    cv2.imwrite(str(folder / 'strip.png'), face(64))
    with pytest.raises(InputError, match='expected a strip of three square images'):
        build(folder)[0]
