"""Restored faces enlarged before they are pasted."""

import cv2
import numpy as np
import pytest

from daefr_arch.errors import InputError
from daefr_arch.restoration.restorer import DAEFRRestorer
from tests.faces.photos import FakeNetwork, astronaut, nothing_shown


class Bicubic:
    """A background upsampler that counts its calls."""

    def __init__(self):
        self.shapes = []

    def enhance(self, img, outscale):
        self.shapes.append(img.shape[:2])
        return cv2.resize(img, None, fx=outscale, fy=outscale, interpolation=cv2.INTER_CUBIC), 'RGB'


def restore(**options):
    network = FakeNetwork(resolution=64, brightness=0.3)
    restorer = DAEFRRestorer(network, upscale=2, device='cpu', precision='fp32', fusion=nothing_shown(), **options)
    return restorer.enhance(astronaut())[2].astype(int)


def test_enlarged_faces_are_pasted_at_the_same_place():
    upsampler = Bicubic()
    plain = restore(bg_upsampler=Bicubic())
    enlarged = restore(bg_upsampler=upsampler, face_upsample=True)
    assert upsampler.shapes == [(512, 512), (256, 256)]
    assert (enlarged != plain).any()
    plain, enlarged = (photo[120:360, 340:560].mean(axis=2) for photo in (plain, enlarged))
    gradients = np.stack([gradient.ravel() for gradient in np.gradient(plain)], axis=1)
    shift = np.linalg.lstsq(gradients, (plain - enlarged).ravel(), rcond=None)[0]  # Lucas and Kanade
    assert np.abs(shift).max() < 0.1  # pixels; half a pixel were the centres taken for corners


def test_without_an_upsampler_it_is_refused():
    with pytest.raises(InputError, match='face_upsample: expected a bg_upsampler'):
        restore(face_upsample=True)
