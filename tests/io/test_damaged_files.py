"""Files that are cut, damaged or that lie: what is there is read, what is missing is said, too little is refused."""

import io
import struct
import zlib

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image
from skimage.data import astronaut

from daefr_arch.errors import InputError
from daefr_arch.io.damaged_jpeg import held_at_most
from daefr_arch.io.image_file import read_image
from tests.io.sample_files import encoded, tiff

KINDS = {
    'jpeg': lambda photo: encoded(photo, 'JPEG', quality=95),
    'jpeg_restarts': lambda photo: encoded(photo, 'JPEG', quality=95, restart_marker_rows=1),
    'jpeg_cmyk': lambda photo: encoded(photo.convert('CMYK'), 'JPEG', quality=95),
    'png': lambda photo: encoded(photo, 'PNG'),
    'png_deep': lambda photo: cv2.imencode('.png', np.asarray(photo)[..., ::-1].astype(np.uint16) * 257)[1].tobytes(),
    'webp': lambda photo: encoded(photo, 'WEBP', quality=95),
    'tiff': lambda photo: tiff(np.asarray(photo), photometric='rgb'),
    'tiff_deflate': lambda photo: tiff(np.asarray(photo), photometric='rgb', compression='zlib', rowsperstrip=16),
    'tiff_deep': lambda photo: tiff(np.asarray(photo).astype(np.uint16) * 257, photometric='rgb', rowsperstrip=16),
    'tiff_one_deflate_strip': lambda photo: tiff(np.asarray(photo), photometric='rgb', compression='zlib'),
}


@pytest.fixture(scope='module')
def rgb():
    return np.ascontiguousarray(astronaut()[40:200, 160:280])  # (160, 120)


@pytest.fixture(scope='module')
def photo(rgb):
    return Image.fromarray(rgb)


def read(path, data):
    path.write_bytes(data)
    return read_image(path)


@pytest.mark.parametrize('kind', KINDS)
def test_what_is_left_of_a_cut_file_is_read(tmp_path, photo, kind, caplog):
    data = KINDS[kind](photo)
    whole = read(tmp_path / 'whole', data)
    assert not whole.damaged
    for share in (0.5, 0.8):
        cut = read(tmp_path / 'cut', data[: int(len(data) * share)])
        assert cut.damaged
        assert len(cut.warnings) == 1
        assert 'the file is cut or damaged' in cut.warnings[0]
        said = int(cut.warnings[0].split(': ')[1].split('%')[0]) / 100
        assert abs(said - (1 - share)) < 0.3  # a row does not cost what the next one does
        assert f'{tmp_path / "cut"}: {cut.warnings[0]}' in caplog.messages
        assert (cut.pixels.shape, cut.pixels.dtype) == (whole.pixels.shape, whole.pixels.dtype)
        there = int(160 * (1 - said)) - 24  # the last rows may lack what the next ones would have told
        worst = 10 if kind.startswith(('jpeg', 'webp')) else 0
        assert np.abs(cut.pixels[:there].astype(int) - whole.pixels[:there]).max() <= worst
    for few in (20, len(data) // 100):
        with pytest.raises(InputError, match=r'cut: (truncated|not an image)'):
            read(tmp_path / 'cut', data[:few])


@pytest.mark.parametrize('kind', ['GIF', 'BMP', 'AVIF', 'JPEG2000', 'HEIF', 'JXL'])
def test_cut_files_of_other_formats_are_refused(tmp_path, photo, kind):
    data = encoded(photo, kind)
    for length in (20, len(data) // 3, len(data) * 2 // 3):
        with pytest.raises(InputError, match=r'a: (truncated|not an image)'):
            read(tmp_path / 'a', data[:length])


def test_what_is_to_be_whole_is_refused(tmp_path, photo):
    data = KINDS['jpeg'](photo)
    (tmp_path / 'a').write_bytes(data[: len(data) // 2])
    with pytest.raises(InputError, match=r'a: the file is cut or damaged: .* of its rows are missing'):
        read_image(tmp_path / 'a', whole=True)


def test_a_jpeg_without_its_end_is_whole(tmp_path, photo):
    data = KINDS['jpeg'](photo)
    whole, cut = read(tmp_path / 'whole', data), read(tmp_path / 'cut', data[:-2])
    assert np.array_equal(cut.pixels, whole.pixels)
    assert (cut.damaged, cut.warnings) == (True, ('the file is cut or damaged at its end: the photo is whole',))


def test_a_photo_with_a_preview_behind_it(tmp_path, photo):
    data = encoded(photo, 'MPO', save_all=True, append_images=[photo.resize((60, 80))], quality=95)
    whole = read(tmp_path / 'whole', data)
    assert not whole.damaged
    cut = read(tmp_path / 'cut', data[: len(data) // 2])
    assert cut.damaged
    assert np.array_equal(cut.pixels[:40], whole.pixels[:40])


def test_a_progressive_jpeg_cut_in_its_details(tmp_path, photo):
    data = encoded(photo, 'JPEG', quality=92, progressive=True)
    whole, cut = read(tmp_path / 'whole', data), read(tmp_path / 'cut', data[: int(len(data) * 0.95)])
    assert np.abs(cut.pixels.astype(int) - whole.pixels).mean() < 2
    assert (cut.damaged, cut.warnings) == (True, ('the file is cut: the details of the photo are incomplete',))


@pytest.mark.parametrize('kind', ['jpeg', 'jpeg_restarts', 'jpeg_cmyk'])
def test_a_jpeg_that_ends_early_with_an_end_is_not_silently_grey(tmp_path, photo, kind):
    data = KINDS[kind](photo)
    cut = read(tmp_path / 'cut', data[: int(len(data) * 0.6)] + b'\xff\xd9')
    assert cut.damaged
    assert 'of its rows are missing' in cut.warnings[0]


def test_zeros_at_the_end_of_a_jpeg_are_not_read_as_a_photo(tmp_path, photo):
    data = KINDS['jpeg'](photo)
    cut = read(tmp_path / 'cut', data[: len(data) // 2].ljust(len(data), b'\0'))
    assert np.array_equal(cut.pixels, read(tmp_path / 'bare', data[: len(data) // 2].rstrip(b'\0')).pixels)
    assert cut.damaged


def test_a_photo_that_is_grey_below_is_no_damaged_one(tmp_path, rgb):
    grey = rgb.copy()
    grey[60:] = 128
    for options in ({}, {'progressive': True}, {'restart_marker_rows': 1}, {'optimize': True}):
        data = encoded(Image.fromarray(grey), 'JPEG', **options)
        sound = read(tmp_path / 'a', data)
        assert (sound.pixels[80:] == 128).all()
        assert (sound.damaged, sound.warnings) == (False, ())
        assert held_at_most(data) == 1


def test_a_jpeg_that_states_far_more_pixels_than_it_holds_is_refused_before_decoding(tmp_path, photo, monkeypatch):
    data = bytearray(encoded(photo.resize((200, 200)), 'JPEG', quality=95))
    frame = data.index(b'\xff\xc0') + 5
    data[frame : frame + 4] = struct.pack('>HH', 12_000, 12_000)
    monkeypatch.setattr(Image.Image, 'load', None)
    with pytest.raises(InputError, match=r'its bytes hold at most \d\.\d% of the pixels that it states'):
        read(tmp_path / 'a', bytes(data))


def test_damaged_rows_and_missing_chunks_of_a_png(tmp_path, photo, rgb):
    data = bytearray(encoded(photo, 'PNG'))
    data[len(data) // 2 : len(data) // 2 + 4] = b'\0\xff\0\xff'
    mended = read(tmp_path / 'a', bytes(data))
    assert mended.damaged
    assert np.array_equal(mended.pixels[:40], rgb[:40, :, ::-1])
    palette = encoded(photo.quantize(64), 'PNG')
    start = palette.index(b'PLTE') - 4
    length = 12 + int.from_bytes(palette[start : start + 4], 'big')
    with pytest.raises(InputError, match='a palette image without its palette'):
        read(tmp_path / 'a', palette[:start] + palette[start + length :])


def test_a_cut_interlaced_png_is_refused(tmp_path):
    def chunk(kind, data):
        return struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data))

    header = struct.pack('>IIBBBBB', 8, 8, 8, 0, 0, 0, 1)
    rows = zlib.compress(bytes(79 - 20))
    data = b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', header) + chunk(b'IDAT', rows) + chunk(b'IEND', b'')
    with pytest.raises(InputError, match='cut or damaged, and interlaced'):
        read(tmp_path / 'a', data)


def strips_of(photo, compression):
    """A file of ten strips, and where they lie and how long they are."""
    data = encoded(photo, 'TIFF', compression=compression, strip_size=120 * 3 * 16)
    with Image.open(io.BytesIO(data)) as image:
        return data, image.tag_v2[273], image.tag_v2[279]


@pytest.mark.parametrize('compression', ['tiff_lzw', 'tiff_deflate', 'packbits', 'jpeg'])
def test_a_strip_that_is_not_there_costs_its_rows_alone(tmp_path, photo, compression):
    data, offsets, _ = strips_of(photo, compression)
    assert len(offsets) == 10
    lost = data.replace(struct.pack('<I', offsets[4]), struct.pack('<I', 2**31))
    whole, mended = read(tmp_path / 'whole', data).pixels, read(tmp_path / 'a', lost)
    assert (mended.damaged, mended.warnings) == (True, ('the file is cut or damaged: 10% of its rows are missing',))
    assert np.median(mended.pixels[64:80]) == (128 if compression == 'jpeg' else 0)
    assert np.array_equal(np.delete(mended.pixels, slice(64, 80), axis=0), np.delete(whole, slice(64, 80), axis=0))


@pytest.mark.parametrize('compression', ['tiff_lzw', 'tiff_deflate'])
def test_a_damaged_strip_costs_its_rows_alone(tmp_path, photo, compression):
    data, offsets, sizes = strips_of(photo, compression)
    changed = data[: offsets[4]] + b'\xee' * sizes[4] + data[offsets[4] + sizes[4] :]
    whole, mended = read(tmp_path / 'whole', data).pixels, read(tmp_path / 'a', changed)
    assert (mended.damaged, mended.warnings) == (True, ('the file is cut or damaged: 10% of its rows are missing',))
    assert not mended.pixels[64:80].any()
    assert np.array_equal(np.delete(mended.pixels, slice(64, 80), axis=0), np.delete(whole, slice(64, 80), axis=0))


def test_the_last_page_that_a_cut_tiff_file_leads_to_says_so(tmp_path, rgb):
    with tifffile.TiffWriter(tmp_path / 'a.tif') as file:
        for _ in range(3):
            file.write(rgb, photometric='rgb', metadata=None)
    data = (tmp_path / 'a.tif').read_bytes()
    with tifffile.TiffFile(tmp_path / 'a.tif') as file:
        third = file.pages[2].offset
    (tmp_path / 'a.tif').write_bytes(data[:third])
    first, last = (read_image(tmp_path / 'a.tif', page=page) for page in (0, 1))
    assert not first.damaged
    assert last.warnings == ('the file is cut or damaged: the pages behind this one are lost',)
    assert np.array_equal(last.pixels, rgb[..., ::-1])


def test_numbers_in_exif_texts_do_not_cost_the_photo(tmp_path, rgb, photo):
    jpeg = encoded(photo, 'JPEG', quality=95)
    for tag in (271, 305):  # Make, Software
        exif = b'II*\0\x08\0\0\0' + struct.pack('<HHHII', 1, tag, 5, 1, 26) + struct.pack('<III', 0, 72, 1)
        app1 = b'Exif\0\0' + exif
        data = jpeg[:2] + b'\xff\xe1' + struct.pack('>H', len(app1) + 2) + app1 + jpeg[2:]
        assert read(tmp_path / 'a.jpg', data).pixels.shape == rgb.shape
