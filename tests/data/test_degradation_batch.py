from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from basicsr.data.degradations import bivariate_Gaussian

from daefr_arch.data.degradation import DegradationRanges, degrade, draw_params, gaussian_kernel
from daefr_arch.data.degradation import compress_jpeg as compress_jpeg_cpu
from daefr_arch.data.degradation_batch import blur, compress_jpeg, degrade_batch, gaussian_kernels, resample
from tests.data.faces import face

SIZE = 160


def drawn(count, **ranges):
    return [draw_params(DegradationRanges(**ranges), np.random.default_rng([1, i])) for i in range(count)]


def to_batch(images):
    return torch.stack([torch.from_numpy(image[..., ::-1].transpose(2, 0, 1).copy()) for image in images])


def to_images(batch):
    return batch.permute(0, 2, 3, 1).numpy()[..., ::-1]


@pytest.fixture(scope='module')
def image():
    return face(SIZE).astype(np.float32) / 255


def test_kernels_equal_basicsrs():
    params = drawn(20)
    kernels = gaussian_kernels(params, 'cpu').numpy()
    for p, kernel in zip(params, kernels, strict=True):
        plain = bivariate_Gaussian(p.kernel_size, p.sigma_x, p.sigma_y, p.rotation, isotropic=False)
        margin = (41 - p.kernel_size) // 2
        np.testing.assert_allclose(kernel, np.pad(plain, margin), atol=1e-6)


def test_blur_equals_filter2d(image):
    params = drawn(6)
    blurred = to_images(blur(to_batch([image] * 6), gaussian_kernels(params, 'cpu')))
    for p, result in zip(params, blurred, strict=True):
        np.testing.assert_allclose(result, cv2.filter2D(image, -1, gaussian_kernel(p)), atol=1e-5)


def test_resample_equals_opencv_and_repeats_the_border(image):
    sizes = torch.tensor([[7, 9], [100, 33], [160, 200]])
    length = torch.tensor([[SIZE, SIZE]] * 3)
    canvas = resample(to_batch([image] * 3), length, sizes, (160, 208))
    back = to_images(resample(canvas, sizes, length, (SIZE, SIZE)))
    for i, (height, width) in enumerate(sizes.tolist()):
        small = cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR)
        result = to_images(canvas)[i]
        np.testing.assert_allclose(result[:height, :width], small, atol=1e-4)
        assert (result[height:, :width] == result[height - 1, :width]).all()
        np.testing.assert_allclose(back[i], cv2.resize(small, (SIZE, SIZE)), atol=1e-4)


@pytest.mark.parametrize('quality', [30, 49, 75, 100])
def test_jpeg_is_as_lossy_as_libjpeg(image, quality):
    batch = to_images(compress_jpeg(to_batch([image, image]), [quality, 60]))
    reference = compress_jpeg_cpu(image, quality=quality)
    loss = np.mean((batch[0] - image) ** 2)
    assert loss == pytest.approx(np.mean((reference - image) ** 2), rel=0.25, abs=2e-5)
    assert np.mean((batch[0] - reference) ** 2) < 0.5 * loss + 2e-5  # it is nearer to libjpeg than to the original
    assert np.isfinite(batch).all()


def test_without_noise_it_is_the_cpu_version(image):
    params = [replace(p, noise_sigma=0.0, jpeg_quality=98) for p in drawn(12)]
    batch = to_images(degrade_batch(to_batch([image] * 12), params))
    for p, result in zip(params, batch, strict=True):
        assert np.abs(result - degrade(image, p)).mean() < 0.012


def test_statistics_equal_the_cpus(image):
    params = drawn(120)
    batch = to_images(degrade_batch(to_batch([image] * 120), params, generator=torch.Generator().manual_seed(0)))
    alone = np.stack([degrade(image, p) for p in params])

    def statistics(low):
        gradient = np.abs(np.diff(low, axis=2)).mean((1, 2, 3))
        chroma = np.abs(low[..., 0] - low[..., 2]).mean((1, 2))
        return np.stack(
            [low.mean((1, 2, 3)), low.std((1, 2, 3)), gradient, chroma, np.abs(low - image).mean((1, 2, 3))]
        )

    ours, theirs = statistics(batch), statistics(alone)
    np.testing.assert_allclose(ours.mean(1), theirs.mean(1), rtol=0.03)
    np.testing.assert_allclose(ours.std(1), theirs.std(1), rtol=0.1, atol=1e-3)
    for i in (1, 2, 4):  # brightness and colour of pictures of few pixels are those of the noise
        assert np.corrcoef(ours[i], theirs[i])[0, 1] > 0.97


def test_noise_comes_from_the_generator_and_the_input_stays(image):
    batch = to_batch([image] * 2)
    before = batch.clone()
    params = drawn(2, noise_range=(20, 20))
    first, again, other = (
        degrade_batch(batch, params, generator=torch.Generator().manual_seed(seed)) for seed in (0, 0, 1)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(batch, before)
    assert first.shape == batch.shape
    assert first.min() >= 0
    assert first.max() <= 1
