"""HEIC, JPEG XL and JPEG 2000 through Pillow; what cannot be read is named and counted."""

import logging

import cv2
import numpy as np
import pillow_heif
import pytest
from PIL import Image
from skimage.data import astronaut

from daefr_arch.errors import InputError
from daefr_arch.io import image_formats
from daefr_arch.io.image_file import read_image
from daefr_arch.io.image_formats import readable_extensions, readable_formats
from daefr_arch.io.image_listing import list_images
from daefr_arch.io.jxl_header import jxl_size
from tests.io.sample_files import encoded, sample_files

ORIENTATION = 274


@pytest.fixture(scope='module')
def rgb():
    readable_formats()  # registers the plug-ins
    return np.ascontiguousarray(astronaut()[40:200, 160:280])


@pytest.fixture
def without_plugins(monkeypatch):
    monkeypatch.setattr(image_formats, 'find_spec', lambda name: None)
    readable_formats.cache_clear()
    yield
    monkeypatch.undo()
    readable_formats.cache_clear()


@pytest.mark.parametrize('kind', ['HEIF', 'JXL', 'JPEG2000'])
@pytest.mark.parametrize('mode', ['RGB', 'RGBA', 'L'])
def test_reads(tmp_path, rgb, kind, mode):
    options = {'HEIF': {'quality': 95}, 'JXL': {'quality': 95}, 'JPEG2000': {}}[kind]
    stored = Image.fromarray(rgb).convert(mode)
    (tmp_path / 'a').write_bytes(encoded(stored, kind, **options))
    photo = read_image(tmp_path / 'a')
    expected = np.asarray(stored.convert('RGB'))[..., ::-1]
    assert np.abs(photo.pixels.astype(int) - expected).mean() < 3
    assert (photo.alpha is not None) == (mode == 'RGBA')
    assert (photo.warnings, photo.damaged) == ((), False)


def test_a_turned_heic_photo_is_upright_once(tmp_path, rgb):
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    turned = Image.fromarray(rgb).transpose(Image.Transpose.ROTATE_90)
    (tmp_path / 'a.heic').write_bytes(encoded(turned, 'HEIF', quality=95, exif=exif.tobytes()))
    photo = read_image(tmp_path / 'a.heic')
    assert np.abs(photo.pixels.astype(int) - rgb[..., ::-1]).mean() < 3


@pytest.mark.parametrize(('kind', 'grey'), [('.jp2', False), ('.jp2', True), ('.pgm', True), ('.ppm', False)])
def test_16_bits(tmp_path, rgb, kind, grey):
    deep = (rgb[..., ::-1].astype(np.uint16) << 8) | 77
    stored = deep[..., 1] if grey else deep
    cv2.imwrite(str(tmp_path / f'a{kind}'), stored, [cv2.IMWRITE_JPEG2000_COMPRESSION_X1000, 1000])
    photo = read_image(tmp_path / f'a{kind}')
    expected = np.dstack([stored] * 3) if grey else stored
    assert photo.pixels.dtype == np.uint16
    assert np.abs(photo.pixels.astype(int) - expected).mean() < (40 if kind == '.jp2' else 1e-9)


def test_the_size_of_a_jpeg_xl_image_is_known_before_it_is_decoded(tmp_path, rgb):
    readable_formats()
    for width, height in ((1, 1), (8, 8), (9, 256), (256, 256), (300, 200), (160, 90), (1234, 17), (4000, 3)):
        data = encoded(Image.new('RGB', (width, height)), 'JXL')
        assert jxl_size(data) == (width, height)
    (tmp_path / 'a.jxl').write_bytes(encoded(Image.fromarray(rgb), 'JXL'))
    with pytest.raises(InputError, match='120x160 are more pixels than the limit of 19199'):
        read_image(tmp_path / 'a.jxl', max_pixels=19_199)


def test_every_format_that_is_read_has_a_sample():
    kinds = {name.split('_')[0].replace('pgm', 'ppm').removeprefix('big').removeprefix('a') for name in sample_files()}
    assert {name.lower().removeprefix('a') for name in readable_formats()} <= kinds


def test_what_cannot_be_read_is_named_and_counted(tmp_path, caplog, without_plugins):
    for name in ('a.jpg', 'b.jp2', 'phone.heic', 'phone2.HEIC', 'x.jxl', 'raw.NEF', 'notes.txt', '.hidden.heic'):
        (tmp_path / name).touch()
    with caplog.at_level(logging.WARNING):
        assert [path.name for path in list_images(tmp_path)] == ['a.jpg', 'b.jp2']
    assert sorted(caplog.messages) == [
        "1 JXL image left out (pip install 'daefr_arch[jxl]'): x.jxl",
        '1 raw image left out (export it as TIFF or JPEG): raw.NEF',
        "2 HEIF images left out (pip install 'daefr_arch[heif]'): phone.heic, phone2.HEIC",
    ]
    (tmp_path / 'only').mkdir()
    (tmp_path / 'only/phone.heic').touch()
    with pytest.raises(InputError, match=r'no image in the folder .*; 1 HEIF image left out \(pip install'):
        list_images(tmp_path / 'only')
    assert '.heic' not in readable_extensions()


def test_a_file_whose_plugin_is_missing_says_what_to_install(tmp_path, rgb, without_plugins):
    pillow_heif.register_heif_opener()
    (tmp_path / 'a.heic').write_bytes(encoded(Image.fromarray(rgb), 'HEIF'))
    with pytest.raises(InputError, match=r"a\.heic: not an image, or damaged; HEIF needs: pip install 'daefr_arch"):
        read_image(tmp_path / 'a.heic')


def test_with_plugins_their_files_are_listed(tmp_path, caplog):
    for name in ('a.heic', 'b.jxl', 'c.hif'):
        (tmp_path / name).touch()
    assert [path.name for path in list_images(tmp_path)] == ['a.heic', 'b.jxl', 'c.hif']
    assert not caplog.messages
