"""Eq. 8 for a whole batch on the device of the images, for training where CPU cores are few.

Each image has its own kernel, size, noise and JPEG quality. The low-quality images lie in the corners of one canvas of
the largest size, so that no step loops over the batch. Parameters are those of `degradation.draw_params`. The result
equals the CPU's in its statistics, not to the bit: the noise is another, and BasicSR's DiffJPEG repeats the chroma that
libjpeg interpolates.
"""

import copy
import functools
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from basicsr.utils.diffjpeg import DiffJPEG, quality_to_factor

from daefr_arch.data.degradation import DegradationParams, shrunk_size

JPEG_BLOCK = 16  # pixels: two 8x8 blocks of luma for one of chroma
FINEST_FACTOR = quality_to_factor(99.5)  # the formula of quality 100 divides by zero


@torch.no_grad()
def degrade_batch(
    images: torch.Tensor, params: Sequence[DegradationParams], *, generator: torch.Generator | None = None
) -> torch.Tensor:
    """Applies Eq. 8.

    Args:
        images: (B, 3, H, W) float32 RGB, range [0, 1], H and W above half of the kernel size.
        params: of each image; `noise_seed` is not used.
        generator: of the noise, on the device of `images`; the global one, if None.

    Returns:
        (B, 3, H, W) float32 RGB, range [0, 1], not rounded to 8 bits.
    """
    device = images.device
    length = torch.tensor(images.shape[2:], device=device).expand(len(params), 2)
    small = [[shrunk_size(side, p.downsample) for side in images.shape[2:]] for p in params]
    canvas = tuple(-(-max(sides) // JPEG_BLOCK) * JPEG_BLOCK for sides in zip(*small, strict=True))
    small_length = torch.tensor(small, device=device)

    low = resample(blur(images, gaussian_kernels(params, device)), length, small_length, canvas)
    sigma = torch.tensor([p.noise_sigma / 255 for p in params], device=device).view(-1, 1, 1, 1)
    noise = torch.randn(low.shape, generator=generator, device=device)
    low = _to_8_bits(low + sigma * noise)
    # libjpeg repeats the border pixels to fill its last blocks
    low = resample(low, small_length, small_length, canvas)
    low = _to_8_bits(compress_jpeg(low, [p.jpeg_quality for p in params]))
    return resample(low, small_length, length, tuple(images.shape[2:]))


def gaussian_kernels(params: Sequence[DegradationParams], device: torch.device | str) -> torch.Tensor:
    """Blur kernels (B, K, K) float32, sum 1; K is the largest size, smaller kernels have zeros around them."""
    numbers = [(p.sigma_x, p.sigma_y, p.rotation, p.kernel_size // 2) for p in params]
    sigma_x, sigma_y, rotation, reach = torch.tensor(numbers, dtype=torch.float64, device=device).T[..., None, None]
    radius = max(p.kernel_size for p in params) // 2
    axis = torch.arange(-radius, radius + 1, dtype=torch.float64, device=device)
    y, x = axis[:, None], axis
    along = x * rotation.cos() + y * rotation.sin()
    across = y * rotation.cos() - x * rotation.sin()
    kernels = torch.exp(-0.5 * ((along / sigma_x) ** 2 + (across / sigma_y) ** 2))
    kernels = kernels * ((x.abs() <= reach) & (y.abs() <= reach))
    return (kernels / kernels.sum((1, 2), keepdim=True)).float()


def blur(images: torch.Tensor, kernels: torch.Tensor) -> torch.Tensor:
    """Filters (B, C, H, W) with kernels (B, K, K) that are symmetric about their centre, borders reflected."""
    size = kernels.shape[-1]
    padded = F.pad(images, (size // 2,) * 4, mode='reflect')
    shape = [-(-side // 16) * 16 for side in padded.shape[2:]]  # lengths that the FFT is fast for
    spectrum = torch.fft.rfft2(padded, s=shape) * torch.fft.rfft2(kernels, s=shape)[:, None]
    return torch.fft.irfft2(spectrum, s=shape)[..., size - 1 : padded.shape[2], size - 1 : padded.shape[3]]


def resample(
    images: torch.Tensor, length: torch.Tensor, new_length: torch.Tensor, canvas: tuple[int, ...]
) -> torch.Tensor:
    """Bilinear resizing, without anti-aliasing as `cv2.resize`, of each image by its own factors.

    Args:
        images: (B, C, H, W), whose image b fills the corner length[b].
        length: (B, 2) int, height and width.
        new_length: (B, 2) int, height and width after it.
        canvas: height and width of the result, which beyond new_length repeats the last pixel.
    """
    for axis in (0, 1):
        dim = axis + 2
        source, target = length[:, axis, None], new_length[:, axis, None]
        output = torch.minimum(torch.arange(canvas[axis], device=images.device), target - 1)
        position = ((output + 0.5) * (source / target) - 0.5).clamp(min=0)
        first = torch.minimum(position.long(), source - 1)
        second = torch.minimum(first + 1, source - 1)
        weight = (position - first).clamp(max=1)
        shape = [len(images), 1, 1, 1]
        shape[dim] = canvas[axis]
        full = list(images.shape)
        full[dim] = canvas[axis]
        low, high = (torch.gather(images, dim, index.view(shape).expand(full)) for index in (first, second))
        images = torch.lerp(low, high, weight.to(images.dtype).view(shape))
    return images


def compress_jpeg(images: torch.Tensor, qualities: Sequence[float]) -> torch.Tensor:
    """JPEG of (B, 3, H, W) RGB in [0, 1], H and W multiples of JPEG_BLOCK, each with its quality of 1 to 100."""
    factors = [max(quality_to_factor(min(quality, 99.5)), FINEST_FACTOR) for quality in qualities]
    factor = torch.tensor(factors, device=images.device)
    jpeg = _jpeg(images.device)
    y, cb, cr = jpeg.compress(images, factor=factor)
    return jpeg.decompress(y, cb, cr, *images.shape[2:], factor=factor)


def _to_8_bits(images: torch.Tensor) -> torch.Tensor:
    return (images * 255).round().clamp(0, 255) / 255


@functools.lru_cache(maxsize=8)
def _jpeg(device: torch.device) -> DiffJPEG:
    # a copy: the modules share their tables, which moving one of them would move for all
    return copy.deepcopy(DiffJPEG(differentiable=False)).to(device).requires_grad_(False)
