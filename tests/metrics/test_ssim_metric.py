import pytest
from basicsr.metrics import calculate_metric
from skimage.metrics import structural_similarity

from daefr_arch.errors import InputError
from daefr_arch.metrics.ssim_metric import SSIM, daefr_ssim


def test_agrees_with_scikit_image(sharp, degraded):
    expected = structural_similarity(
        sharp,
        degraded,
        channel_axis=2,
        data_range=255,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        full=True,
    )[1][5:-5, 5:-5].mean()
    assert daefr_ssim(degraded, sharp) == pytest.approx(expected, abs=1e-6)
    assert SSIM()(degraded, sharp) == daefr_ssim(degraded, sharp)


@pytest.mark.parametrize('name', ['daefr_ssim', 'calculate_ssim'])
def test_options_of_basicsr(sharp, degraded, name):
    value = calculate_metric({'img': degraded, 'img2': sharp}, {'type': name, 'crop_border': 0})
    assert value == pytest.approx(daefr_ssim(degraded, sharp))


def test_bounds(sharp):
    assert daefr_ssim(sharp, sharp) == pytest.approx(1)
    with pytest.raises(InputError, match='11x11'):
        daefr_ssim(sharp[:8, :8], sharp[:8, :8])
