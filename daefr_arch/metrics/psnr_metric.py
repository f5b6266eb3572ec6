"""Peak signal-to-noise ratio."""

import numpy as np
from basicsr.metrics.psnr_ssim import calculate_psnr
from basicsr.utils.registry import METRIC_REGISTRY

from daefr_arch.metrics.images import check_pair
from daefr_arch.metrics.metric import ImageMetric


@METRIC_REGISTRY.register()
def daefr_psnr(
    img: np.ndarray, img2: np.ndarray | None, *, crop_border: int = 0, test_y_channel: bool = False
) -> float:
    """PSNR in dB, 10 log10(255^2 / MSE): BasicSR's number, behind checks of its input.

    Args:
        img: Result, BGR uint8 (H, W, 3); the order of the channels matters for Y only.
        img2: Ground truth, as `img`.
        crop_border: Pixels left out at each edge.
        test_y_channel: Compare Y of BT.601 YCbCr instead of the three channels.

    Returns:
        dB in [0, inf]; inf for equal images.

    Raises:
        InputError: the images are not BGR uint8 or differ in size.

    Example:
        >>> truth = np.zeros((8, 8, 3), np.uint8)
        >>> round(daefr_psnr(truth + np.uint8(51), truth), 4)  # an error of 0.2 everywhere: 20 log10(5)
        13.9794
    """
    img, img2 = check_pair(img, img2, 'PSNR')
    return float(calculate_psnr(img, img2, crop_border=crop_border, test_y_channel=test_y_channel))


class PSNR(ImageMetric):
    """`daefr_psnr` of whole images over the three channels, as in the paper's Table 1(b)."""

    name, title, unit, lower_is_better = 'psnr', 'PSNR', 'dB', False
    protocol = 'BasicSR: 8-bit RGB, whole image, squared error averaged over the three channels'

    def __call__(self, img: np.ndarray, img2: np.ndarray | None = None) -> float:
        return daefr_psnr(img, img2)
