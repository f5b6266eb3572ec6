"""Structural similarity."""

import numpy as np
from basicsr.metrics.psnr_ssim import calculate_ssim
from basicsr.utils.registry import METRIC_REGISTRY

from daefr_arch.errors import InputError
from daefr_arch.metrics.images import check_pair
from daefr_arch.metrics.metric import ImageMetric

WINDOW = 11


@METRIC_REGISTRY.register()
def daefr_ssim(
    img: np.ndarray, img2: np.ndarray | None, *, crop_border: int = 0, test_y_channel: bool = False
) -> float:
    """SSIM (Wang et al. 2004): 11x11 Gaussian window of sigma 1.5, valid part, mean of the channels. BasicSR's number.

    Args:
        img: Result, BGR uint8 (H, W, 3); the order of the channels matters for Y only.
        img2: Ground truth, as `img`.
        crop_border: Pixels left out at each edge.
        test_y_channel: Compare Y of BT.601 YCbCr instead of the three channels.

    Returns:
        A number in [-1, 1]; 1 for equal images.

    Raises:
        InputError: the images are not BGR uint8, differ in size, or are smaller than the window.

    Example:
        >>> image = np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)
        >>> daefr_ssim(image, image)
        1.0
    """
    img, img2 = check_pair(img, img2, 'SSIM')
    if min(img.shape[:2]) - 2 * crop_border < WINDOW:
        raise InputError(f'SSIM needs at least {WINDOW}x{WINDOW} pixels, got {img.shape[1]}x{img.shape[0]}')
    return float(calculate_ssim(img, img2, crop_border=crop_border, test_y_channel=test_y_channel))


class SSIM(ImageMetric):
    """`daefr_ssim` of whole images over the three channels, as in the paper's Table 1(b)."""

    name, title, lower_is_better = 'ssim', 'SSIM', False
    protocol = 'BasicSR: 8-bit RGB, whole image, 11x11 Gaussian window of sigma 1.5, mean of the three channels'

    def __call__(self, img: np.ndarray, img2: np.ndarray | None = None) -> float:
        return daefr_ssim(img, img2)
