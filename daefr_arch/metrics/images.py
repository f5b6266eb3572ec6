"""Checks of the images that a metric is given."""

import numpy as np

from daefr_arch.errors import InputError


def check_image(image: np.ndarray | None, name: str) -> np.ndarray:
    """Returns `image` if it is BGR uint8 (H, W, 3); an `InputError` that says what came otherwise."""
    if image is None:
        raise InputError(f'{name} needs a ground truth image, got none')
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise InputError(f'{name} needs BGR uint8 images (H, W, 3), got {image.dtype} {image.shape}')
    return image


def check_pair(img: np.ndarray, img2: np.ndarray | None, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Returns the result and its ground truth if both are BGR uint8 (H, W, 3) of one size."""
    img, img2 = check_image(img, name), check_image(img2, name)
    if img.shape != img2.shape:
        raise InputError(
            f'{name} needs a result of the size of its ground truth, got {img.shape[1]}x{img.shape[0]} '
            f'and {img2.shape[1]}x{img2.shape[0]}'
        )
    return img, img2
