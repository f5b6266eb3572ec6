import numpy as np
import pytest
import torch

from daefr_arch.archs import bands
from daefr_arch.io.tensors import to_tensor
from tests.data.faces import face


@pytest.fixture(scope='module')
def photo():
    return to_tensor(face(256))


def test_luma_and_chroma_are_those_of_bt601_and_invertible(photo):
    ycc = bands.to_ycc(photo)
    assert torch.allclose(bands.to_rgb(ycc), photo, atol=1e-6)
    grey = bands.to_ycc(torch.full((1, 3, 2, 2), 0.3))
    assert torch.allclose(grey[:, 0], torch.tensor(0.3))
    assert grey[:, 1:].abs().max() < 1e-6
    blue = bands.to_ycc(torch.tensor([-1.0, -1.0, 1.0]).view(1, 3, 1, 1)).flatten()
    assert blue[0] == pytest.approx(-1 + 2 * 0.114, abs=1e-5)
    assert blue[1] == pytest.approx(1, abs=1e-5)  # Cb of pure blue is at the end of the range


def test_bands_add_up_to_the_image(photo):
    parts = bands.split(photo)
    assert [part.shape[-1] for part in parts] == [256, 128, 64, 32, 16, 8]
    assert torch.allclose(bands.join(parts), photo, atol=1e-5)


def test_a_wave_lies_in_the_band_of_its_frequency():
    x = torch.arange(256.0)
    for level, period in enumerate((3, 6, 12, 24, 48)):
        wave = torch.sin(2 * np.pi * x / period).expand(1, 1, 256, 256)
        energies = [part[..., 1:-1, 1:-1].square().mean().item() for part in bands.split(wave)[:-1]]
        assert np.argmax(energies) == level


def test_shrinking_keeps_pixels_centred():
    ramp = torch.linspace(-1, 1, 64).expand(1, 1, 64, 64)
    small = bands.shrink(ramp)[0, 0, 10]
    assert torch.allclose(small[1:-1], ramp[0, 0, 0].unflatten(0, (32, 2)).mean(1)[1:-1], atol=1e-6)


def test_sides_that_cannot_be_split_are_refused():
    with pytest.raises(ValueError, match='multiples of 32'):
        bands.split(torch.zeros(1, 3, 48, 64))


def test_error_ratio_of_noise_is_its_energy_over_the_faces(photo):
    noise = torch.randn(photo.shape, generator=torch.Generator().manual_seed(0)) * 0.1
    ratios = bands.log_error_ratio(photo + noise, photo)
    assert [tuple(ratio.shape[1:]) for ratio in ratios] == [
        *((2, 128, 128), (2, 128, 128), (2, 64, 64), (2, 32, 32), (2, 16, 16), (2, 8, 8))
    ]
    luma = [ratio[:, 0].mean().item() for ratio in ratios]
    assert luma == sorted(luma, reverse=True)  # white noise hides the fine bands most
    assert luma[0] > 1
    assert luma[-1] < -3
    quieter = bands.log_error_ratio(photo + noise / 2, photo)
    assert (ratios[2] - quieter[2]).mean().item() == pytest.approx(np.log(4), abs=0.05)


def test_all_of_a_photo_that_is_its_truth_is_evidence_and_grey_has_all_its_chroma(photo):
    grey = photo.mean(1, keepdim=True).expand(-1, 3, -1, -1)
    assert max(ratio.max().item() for ratio in bands.log_error_ratio(photo, photo)) < -4
    assert max(ratio[:, 1].max().item() for ratio in bands.log_error_ratio(grey * 0.9, grey)) < -4


def test_blur_leaves_the_coarse_and_takes_the_fine(photo):
    blurred = bands.expand(bands.shrink(bands.expand(bands.shrink(photo))))
    ratios = [ratio[:, 0].mean().item() for ratio in bands.log_error_ratio(blurred, photo)]
    assert ratios[0] > -0.5  # nothing is left of band 0
    assert ratios[3] < ratios[2] < ratios[1]
    assert ratios[3] < -4


@pytest.mark.parametrize('filtered', [bands.shrink, bands.soften])
def test_gradients_of_channels_last_images_can_be_compiled(filtered):
    gradients = []
    for function in (filtered, torch.compile(filtered)):
        image = (torch.arange(3072.0).view(1, 3, 32, 32).sin()).contiguous(memory_format=torch.channels_last)
        image.requires_grad_()
        function(image * 2).square().sum().backward()
        gradients.append(image.grad)
    assert torch.allclose(*gradients, atol=1e-6)
