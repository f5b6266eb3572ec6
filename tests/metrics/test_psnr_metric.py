import numpy as np
import pytest
from basicsr.metrics import calculate_metric
from skimage.metrics import peak_signal_noise_ratio

from daefr_arch.errors import InputError
from daefr_arch.metrics.psnr_metric import PSNR, daefr_psnr


def test_agrees_with_scikit_image(sharp, degraded):
    assert daefr_psnr(degraded, sharp) == pytest.approx(peak_signal_noise_ratio(sharp, degraded), rel=1e-9)
    assert PSNR()(degraded, sharp) == daefr_psnr(degraded, sharp)


def test_crop_and_y_channel(sharp, degraded):
    inner = peak_signal_noise_ratio(sharp[4:-4, 4:-4], degraded[4:-4, 4:-4])
    assert daefr_psnr(degraded, sharp, crop_border=4) == pytest.approx(inner, rel=1e-9)
    luma = [image @ np.array([24.966, 128.553, 65.481]) / 255 + 16 for image in (degraded, sharp)]  # B, G, R of BT.601
    expected = 10 * np.log10(255**2 / np.mean((luma[0] - luma[1]) ** 2))
    assert daefr_psnr(degraded, sharp, test_y_channel=True) == pytest.approx(expected, rel=1e-4)
    swapped = daefr_psnr(degraded[..., ::-1], sharp[..., ::-1], test_y_channel=True)
    assert abs(swapped - expected) > 0.01


def test_equal_images_are_infinite(sharp):
    assert daefr_psnr(sharp, sharp) == float('inf')


@pytest.mark.parametrize('name', ['daefr_psnr', 'calculate_psnr'])
def test_options_of_basicsr(sharp, degraded, name):
    options = {'type': name, 'crop_border': 0, 'test_y_channel': False}
    assert calculate_metric({'img': degraded, 'img2': sharp}, options) == pytest.approx(daefr_psnr(degraded, sharp))


def test_refuses_what_it_cannot_compare(sharp):
    with pytest.raises(InputError, match='256x256 and 250x256'):
        daefr_psnr(sharp, sharp[:, :250])
    with pytest.raises(InputError, match='float32'):
        daefr_psnr(sharp.astype(np.float32) / 255, sharp)
    with pytest.raises(InputError, match='ground truth'):
        daefr_psnr(sharp, None)
