"""Blur by a large kernel followed by bilinear shrinking, computed only at the pixels that the shrunk image samples.

The shrunk image of Eq. 8 is usually far smaller than the input: blurring all of the input first, as `cv2.filter2D`
does, throws nearly all of the work away. A Gaussian kernel is a sum of few separable ones (exactly one when it is
isotropic), and each of those joins with the bilinear weights into a small matrix for the rows and one for the columns.
PyTorch does the linear algebra: it keeps to one thread in the worker processes of a DataLoader, where NumPy's takes all
cores, and several workers wait for each other.
"""

import cv2
import numpy as np
import torch

KERNEL_TOLERANCE = 2e-4  # sum of the absolute error of the kernel: at most half of it in an image of range [0, 1]
MAX_SAMPLED_ROWS = 1200  # separable terms times output rows: above it blurring the whole image is faster


def blur_and_downsample(image: np.ndarray, kernel: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """`cv2.resize(cv2.filter2D(image, -1, kernel), size)` to within KERNEL_TOLERANCE / 2, and faster.

    Args:
        image: (H, W, 3) float32, range [0, 1], H and W at least 2; borders are reflected (BORDER_REFLECT_101).
        kernel: (K, K), K odd, sum 1.
        size: (width, height) of the result; bilinear without anti-aliasing, as in BasicSR's and GFPGAN's pipelines.
    """
    columns, rows = separable_terms(kernel)
    if len(columns) * size[1] <= MAX_SAMPLED_ROWS:
        return _blur_where_sampled(image, columns, rows, size)
    if len(columns) == 1:
        blurred = cv2.sepFilter2D(image, -1, rows[0], columns[0])
    else:
        blurred = cv2.filter2D(image, -1, kernel)
    return cv2.resize(blurred, size, interpolation=cv2.INTER_LINEAR)


def separable_terms(kernel: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The fewest (columns, rows), each (R, K) float32, whose outer products sum to `kernel` within KERNEL_TOLERANCE."""
    left, scale, right = (factor.numpy() for factor in torch.linalg.svd(torch.from_numpy(kernel)))
    residual = kernel.copy()
    for terms in range(1, len(scale) + 1):
        residual -= scale[terms - 1] * np.outer(left[:, terms - 1], right[terms - 1])
        if np.abs(residual).sum() <= KERNEL_TOLERANCE:
            break
    columns = (left[:, :terms] * scale[:terms]).T
    return columns.astype(np.float32), right[:terms].astype(np.float32)


def bilinear_taps(length: int, new_length: int) -> tuple[np.ndarray, np.ndarray]:
    """First of the two samples that `cv2.resize` mixes for each output, and the weight of the second one."""
    position = (np.arange(new_length) + 0.5) * (length / new_length) - 0.5
    position = np.clip(position, 0, length - 1)
    first = np.minimum(np.floor(position).astype(np.int64), length - 2)
    return first, (position - first).astype(np.float32)


def _blur_where_sampled(image: np.ndarray, columns: np.ndarray, rows: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    width, height = size
    terms, taps = columns.shape
    radius = taps // 2
    padded = cv2.copyMakeBorder(image, radius, radius, radius, radius, cv2.BORDER_REFLECT_101)
    planes = np.ascontiguousarray(padded.transpose(2, 0, 1))
    padded_width = planes.shape[2]

    first, filters = _resampling_filters(columns, *bilinear_taps(image.shape[0], height))
    vertical = torch.empty((height, 3, terms, padded_width))
    source, weights = torch.from_numpy(planes), torch.from_numpy(filters)
    for i, top in enumerate(first.tolist()):
        torch.matmul(weights[i], source[:, top : top + taps + 1], out=vertical[i])

    first, filters = _resampling_filters(rows, *bilinear_taps(image.shape[1], width))
    horizontal = np.zeros((width, terms, padded_width), np.float32)
    for i, left in enumerate(first):
        horizontal[i, :, left : left + taps + 1] = filters[i]
    result = vertical.view(height * 3, -1) @ torch.from_numpy(horizontal).view(width, -1).T
    return np.ascontiguousarray(result.numpy().reshape(height, 3, width).transpose(0, 2, 1))


def _resampling_filters(terms: np.ndarray, first: np.ndarray, fraction: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The 1-D terms (R, K) mixed with their neighbour's by the bilinear weights: (N, R, K + 1) for N outputs."""
    here = np.pad(terms, ((0, 0), (0, 1)))
    after = np.pad(terms, ((0, 0), (1, 0)))
    weight = fraction[:, None, None]
    return first, (1 - weight) * here + weight * after
