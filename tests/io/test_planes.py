import numpy as np
import torch

from daefr_arch.io.planes import to_pictures, to_planes
from daefr_arch.io.tensors import to_images, to_tensor


def test_pictures_become_what_pytorch_makes_of_them():
    pictures = list(np.random.default_rng(0).integers(0, 256, (2, 9, 7, 3), np.uint8))
    planes = to_planes(pictures)
    assert (planes.dtype, planes.flags.c_contiguous) == (np.float32, True)
    assert np.array_equal(planes, to_tensor(pictures).numpy())
    for ours, given in zip(to_pictures(planes), pictures, strict=True):
        assert np.array_equal(ours, given)


def test_planes_become_pictures_as_in_pytorch():
    """Rounded to even at a half, limited, whatever stands for no number."""
    planes = torch.linspace(-1.2, 1.2, 3 * 512).view(1, 3, 16, 32)
    planes[0, :, 0, :3] = torch.tensor([0.0, 1 / 255, -1 / 255])
    for ours, theirs in zip(to_pictures(planes.numpy()), to_images(planes), strict=True):
        assert np.array_equal(ours, theirs)
    with np.errstate(all='raise'):
        assert not to_pictures(np.full((1, 3, 2, 2), np.nan, np.float32))[0].any()
