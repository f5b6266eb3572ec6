"""Natural image quality evaluator, which needs no ground truth."""

import numpy as np
from basicsr.metrics.niqe import calculate_niqe
from basicsr.utils.registry import METRIC_REGISTRY

from daefr_arch.errors import InputError
from daefr_arch.metrics.images import check_image
from daefr_arch.metrics.metric import ImageMetric

BLOCK = 96


@METRIC_REGISTRY.register()
def daefr_niqe(img: np.ndarray, img2: np.ndarray | None = None, *, crop_border: int = 0) -> float:
    """NIQE (Mittal et al. 2012) of Y with the authors' pristine model, in blocks of 96x96: BasicSR's number.

    Args:
        img: BGR uint8 (H, W, 3); what does not fill a block at the right and bottom is left out.
        img2: Not looked at; BasicSR hands every metric of a paired set the ground truth.
        crop_border: Pixels left out at each edge.

    Returns:
        A number from 0 up; lower is better.

    Raises:
        InputError: the image is not BGR uint8 or holds fewer than two blocks, of which no covariance can be had.

    Example:
        >>> image = np.random.default_rng(0).integers(0, 256, (192, 192, 3), np.uint8)
        >>> daefr_niqe(image) > 10  # noise is no natural image
        True
    """
    img = check_image(img, 'NIQE')
    height, width = (size - 2 * crop_border for size in img.shape[:2])
    if (height // BLOCK) * (width // BLOCK) < 2:
        raise InputError(f'NIQE needs two blocks of {BLOCK}x{BLOCK} pixels, got {img.shape[1]}x{img.shape[0]}')
    return calculate_niqe(img, crop_border=crop_border)


class NIQE(ImageMetric):
    """`daefr_niqe` of whole images, as in the paper's Table 1."""

    name, title, needs_ground_truth = 'niqe', 'NIQE', False
    protocol = "BasicSR: Y of BT.601, whole image, 96x96 blocks at two scales, the authors' pristine model"

    def __call__(self, img: np.ndarray, img2: np.ndarray | None = None) -> float:
        return daefr_niqe(img)
