"""Pages of TIFF files: counted and read one by one, thumbnails left out."""

import io

import numpy as np
import pytest
import tifffile
from PIL import Image
from skimage.data import astronaut

from daefr_arch.errors import InputError
from daefr_arch.io.image_file import page_count, read_image

THUMBNAIL, ORIENTATION = 1, 274


@pytest.fixture(scope='module')
def rgb():
    return np.ascontiguousarray(astronaut()[40:200, 160:280])


@pytest.mark.parametrize('bigtiff', [False, True])
@pytest.mark.parametrize('byteorder', ['<', '>'])
@pytest.mark.parametrize('dtype', [np.uint8, np.uint16])
def test_every_page_is_read_and_thumbnails_are_none(tmp_path, rgb, bigtiff, byteorder, dtype):
    pages = [(rgb.astype(dtype) * np.iinfo(dtype).max // 255)[: 160 - 10 * index] for index in range(3)]
    with tifffile.TiffWriter(tmp_path / 'a.tif', bigtiff=bigtiff, byteorder=byteorder) as file:
        for index, page in enumerate(pages):
            turned = np.rot90(page) if index == 1 else page
            tags = [(ORIENTATION, 'H', 1, 6, True)] if index == 1 else []
            file.write(np.ascontiguousarray(turned), photometric='rgb', rowsperstrip=32, extratags=tags, metadata=None)
            file.write(rgb[::8, ::8], photometric='rgb', subfiletype=THUMBNAIL, metadata=None)
    assert page_count(tmp_path / 'a.tif') == 3
    for index, page in enumerate(pages):
        photo = read_image(tmp_path / 'a.tif', page=index)
        assert np.array_equal(photo.pixels, page[..., ::-1])
        assert photo.warnings == ()
    for missing in (-1, 3):
        with pytest.raises(InputError, match=f'expected a page from 0 to 2, got {missing}'):
            read_image(tmp_path / 'a.tif', page=missing)


def test_pages_of_every_compression(tmp_path, rgb):
    pages = [Image.fromarray(rgb), Image.fromarray(255 - rgb)]
    for compression in ('tiff_lzw', 'tiff_deflate', 'packbits', 'jpeg'):
        pages[0].save(
            tmp_path / 'a.tif',
            save_all=True,
            append_images=pages[1:],
            compression=compression,
            tiffinfo={270: 'A page'},
        )
        assert page_count(tmp_path / 'a.tif') == 2
        for index, page in enumerate(pages):
            read = read_image(tmp_path / 'a.tif', page=index).pixels.astype(int)
            assert np.abs(read[..., ::-1] - np.asarray(page)).mean() < (5 if compression == 'jpeg' else 1e-9)


def test_a_chain_of_pages_that_leads_back_ends(tmp_path, rgb):
    data = io.BytesIO()
    tifffile.imwrite(data, rgb, photometric='rgb', metadata=None)
    changed = bytearray(data.getvalue())
    first = int.from_bytes(changed[4:8], 'little')
    following = first + 2 + 12 * int.from_bytes(changed[first : first + 2], 'little')
    changed[following : following + 4] = changed[4:8]
    (tmp_path / 'a.tif').write_bytes(changed)
    assert page_count(tmp_path / 'a.tif') == 1
    assert np.array_equal(read_image(tmp_path / 'a.tif').pixels, rgb[..., ::-1])


def test_only_tiff_files_have_pages(tmp_path, rgb):
    frames = [Image.fromarray(rgb), Image.fromarray(255 - rgb)]
    frames[0].save(tmp_path / 'a.gif', save_all=True, append_images=frames[1:])
    (tmp_path / 'empty.tif').touch()
    (tmp_path / 'cut.tif').write_bytes(b'II*\0\xff\xff\xff\0')
    for name in ('a.gif', 'empty.tif', 'cut.tif', 'missing.tif', ''):
        assert page_count(tmp_path / name) == 1
    with pytest.raises(InputError, match='expected a page from 0 to 0, got 1'):
        read_image(tmp_path / 'a.gif', page=1)


def test_files_beyond_the_limit_are_refused_by_their_size(tmp_path):
    with (tmp_path / 'sparse.png').open('wb') as file:
        file.truncate(30_000_000_000)
    with pytest.raises(InputError, match='30000000000 bytes are more than an image of 150000000 pixels has'):
        read_image(tmp_path / 'sparse.png')
