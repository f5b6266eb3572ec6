"""16-bit TIFF files in every layout have the colours that they state, to the last bit."""

import itertools

import cv2
import numpy as np
import pytest
import tifffile
from skimage.data import astronaut

from daefr_arch.errors import InputError
from daefr_arch.io.image_file import read_image
from tests.io.sample_files import tiff

ORIENTATION = 274


@pytest.fixture(scope='module')
def deep():
    """(160, 120, 3) RGB with all bits in use."""
    rgb = astronaut()[40:200, 160:280].astype(np.uint16)
    return (rgb << 8) | np.random.default_rng(0).integers(0, 256, rgb.shape, np.uint16)


LAYOUTS = list(
    itertools.product(
        ('contig', 'separate'),
        ({'rowsperstrip': 16}, {'tile': (32, 48)}),
        ({}, {'compression': 'zlib'}, {'compression': 'zlib', 'predictor': True}),
        '<>',
    )
)


@pytest.mark.parametrize(('planar', 'pieces', 'compression', 'order'), LAYOUTS)
@pytest.mark.parametrize('samples', [3, 4, 5])
def test_colours(tmp_path, deep, planar, pieces, compression, order, samples):
    alpha = np.dstack((deep[..., 0] // 2, deep[..., 1]))[..., : samples - 3]
    stored = np.dstack((deep, alpha))
    stored = np.moveaxis(stored, 2, 0) if planar == 'separate' else stored
    extra = ['unassalpha', 'unspecified'][: samples - 3]
    options = {'photometric': 'rgb', 'planarconfig': planar, 'extrasamples': extra, 'byteorder': order}
    (tmp_path / 'a.tif').write_bytes(tiff(np.ascontiguousarray(stored), **options, **pieces, **compression))
    photo = read_image(tmp_path / 'a.tif')
    assert np.array_equal(photo.pixels, deep[..., ::-1])
    assert (photo.alpha is None) == (samples == 3)
    assert photo.alpha is None or np.array_equal(photo.alpha, alpha[..., 0])
    assert (photo.warnings, photo.damaged) == ((), False)


@pytest.mark.parametrize('order', '<>')
@pytest.mark.parametrize('pieces', [{}, {'tile': (32, 32)}, {'compression': 'zlib', 'predictor': True}])
def test_white_is_zero_is_no_negative(tmp_path, deep, order, pieces):
    grey = deep[..., 1]
    (tmp_path / 'a.tif').write_bytes(tiff(65535 - grey, photometric='miniswhite', byteorder=order, **pieces))
    photo = read_image(tmp_path / 'a.tif')
    assert photo.grey
    assert np.array_equal(photo.pixels, np.dstack([grey] * 3))


def test_grey_with_alpha_and_premultiplied_alpha(tmp_path, deep):
    alpha = np.full(deep.shape[:2], 32768, np.uint16)
    alpha[:, :9] = 0
    (tmp_path / 'grey.tif').write_bytes(
        tiff(
            np.dstack((deep[..., 0], alpha)),
            photometric='minisblack',
            planarconfig='contig',
            extrasamples=['unassalpha'],
        )
    )
    photo = read_image(tmp_path / 'grey.tif')
    assert np.array_equal(photo.pixels, np.dstack([deep[..., 0]] * 3))
    assert np.array_equal(photo.alpha, alpha)
    multiplied = (deep.astype(np.uint64) * alpha[..., None] // 65535).astype(np.uint16)
    stored = np.dstack((multiplied, alpha))
    (tmp_path / 'rgb.tif').write_bytes(tiff(stored, photometric='rgb', extrasamples=['assocalpha']))
    photo = read_image(tmp_path / 'rgb.tif')
    assert np.array_equal(photo.alpha, alpha)
    assert np.abs(photo.pixels[:, 9:].astype(int) - deep[:, 9:, ::-1]).max() <= 2


def test_planes_are_turned_upright_once(tmp_path, deep):
    turned = np.ascontiguousarray(np.moveaxis(np.rot90(deep), 2, 0))
    tags = [(ORIENTATION, 'H', 1, 6, True)]
    (tmp_path / 'a.tif').write_bytes(tiff(turned, photometric='rgb', planarconfig='separate', extratags=tags))
    assert np.array_equal(read_image(tmp_path / 'a.tif').pixels, deep[..., ::-1])


@pytest.mark.parametrize('dtype', [np.uint8, np.uint16])
def test_tiles_that_were_never_written_are_black(tmp_path, deep, dtype):
    def tiles():
        for top in range(0, 160, 32):
            for left in range(0, 128, 32):
                sparse = left == 32
                yield None if sparse else np.ascontiguousarray(padded[top : top + 32, left : left + 32])

    stored = deep if dtype == np.uint16 else (deep >> 8).astype(np.uint8)
    padded = np.pad(stored, ((0, 0), (0, 8), (0, 0)))
    with tifffile.TiffWriter(tmp_path / 'a.tif') as file:
        file.write(tiles(), shape=stored.shape, dtype=dtype, tile=(32, 32), photometric='rgb', metadata=None)
    expected = stored[..., ::-1].copy()
    expected[:, 32:64] = 0
    photo = read_image(tmp_path / 'a.tif')
    assert np.array_equal(photo.pixels, expected)
    assert not photo.damaged


def test_lzw_as_opencv_writes_it(tmp_path, deep):
    cv2.imwrite(str(tmp_path / 'a.tif'), deep[..., ::-1], [cv2.IMWRITE_TIFF_COMPRESSION, 5])
    assert np.array_equal(read_image(tmp_path / 'a.tif').pixels, deep[..., ::-1])


def test_signed_samples_are_refused(tmp_path, deep):
    stored = np.moveaxis((deep // 2).astype(np.int16), 2, 0)
    (tmp_path / 'a.tif').write_bytes(tiff(stored, photometric='rgb', planarconfig='separate'))
    with pytest.raises(InputError, match='expected unsigned samples of 16 bits'):
        read_image(tmp_path / 'a.tif')
