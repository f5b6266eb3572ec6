import numpy as np
import pytest

from daefr_arch.errors import InputError
from daefr_arch.io.resize import resize_square
from tests.data.faces import face


def test_shrinks_by_area_and_enlarges():
    image = face(64)
    np.testing.assert_allclose(resize_square(image, 32), image.reshape(32, 2, 32, 2, 3).mean((1, 3)), atol=0.6)
    assert resize_square(image, 100).shape == (100, 100, 3)
    assert resize_square(image, 64) is image


def test_rectangles_are_errors():
    with pytest.raises(InputError, match='expected a square aligned face, got 64x40 pixels'):
        resize_square(face(64)[:40], 32)
