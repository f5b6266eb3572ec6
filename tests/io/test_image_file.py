"""Every kind of image file that a folder of photos may hold, each as a real file."""

import errno
import io
import os
import struct
import zlib

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms, PngImagePlugin
from skimage.data import astronaut

from daefr_arch.errors import InputError, OutputError
from daefr_arch.io import image_file, pillow_files
from daefr_arch.io.image_file import read_image, write_image
from daefr_arch.io.image_listing import list_images
from daefr_arch.io.photo import Photo, as_uint8

ORIENTATION, MAKE, EXIF_IFD, GPS_IFD, WIDTH, HEIGHT = 274, 271, 0x8769, 0x8825, 0xA002, 0xA003
# EXIF orientation -> how Pillow turns an upright image into what is stored
STORED = {1: None, 2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}


@pytest.fixture(autouse=True)
def several_bands_a_photo(monkeypatch):
    monkeypatch.setattr(image_file, '_BAND_ROWS', 64)


@pytest.fixture(scope='module')
def rgb():
    return np.ascontiguousarray(astronaut()[40:200, 160:280])  # (160, 120), the face


@pytest.fixture(scope='module')
def deep(rgb):
    """16-bit BGR with all bits in use."""
    noise = np.random.default_rng(0).integers(0, 256, rgb.shape).astype(np.uint16)
    return (rgb[..., ::-1].astype(np.uint16) << 8) | noise


def encoded(image, kind, **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def exif_block(orientation, width, height):
    exif = Image.Exif()
    exif[ORIENTATION], exif[MAKE] = orientation, 'Maker'
    exif[EXIF_IFD] = {WIDTH: width, HEIGHT: height}
    exif[GPS_IFD] = {1: 'N', 2: (51.0, 28.0, 38.0)}
    return exif.tobytes()


@pytest.mark.parametrize('name', ['a.png', 'a.bmp', 'a.tif', 'a.gif', 'a.JPG', 'a.webp', 'a.avif'])
def test_reads_every_format_as_bgr(tmp_path, rgb, name):
    kinds = {'tif': 'TIFF', 'JPG': 'JPEG'}
    extension = name.split('.')[1]
    lossless = {'webp': {'lossless': True}, 'JPG': {'quality': 100, 'subsampling': 0}, 'avif': {'quality': 100}}
    data = encoded(Image.fromarray(rgb), kinds.get(extension, extension.upper()), **lossless.get(extension, {}))
    (tmp_path / name).write_bytes(data)
    photo = read_image(tmp_path / name)
    tolerance = 12 if extension == 'gif' else 1.5  # a palette of 256 colours
    assert np.abs(photo.pixels.astype(int) - rgb[..., ::-1]).mean() < tolerance
    assert photo.pixels.dtype == np.uint8
    assert (photo.alpha, photo.grey, photo.warnings) == (None, False, ())


@pytest.mark.parametrize('kind', ['JPEG', 'PNG', 'WEBP', 'TIFF'])
@pytest.mark.parametrize('orientation', STORED)
def test_exif_orientation_is_applied_once_and_metadata_kept(tmp_path, rgb, kind, orientation):
    upright = Image.fromarray(rgb)
    stored = upright if STORED[orientation] is None else upright.transpose(Image.Transpose(STORED[orientation]))
    exif = Image.Exif()
    exif.load(exif_block(orientation, *stored.size))
    path = tmp_path / 'photo'
    path.write_bytes(encoded(stored, kind, exif=exif))
    photo = read_image(path)
    assert photo.pixels.shape == rgb.shape
    assert np.abs(photo.pixels.astype(int) - rgb[..., ::-1]).mean() < 6
    for extension in ('png', 'jpg', 'webp'):
        output = tmp_path / f'out.{extension}'
        write_image(output, photo.with_pixels(cv2.resize(photo.pixels, None, fx=2, fy=2)))
        with Image.open(output) as written:
            kept = written.getexif()
            assert kept.get(ORIENTATION, 1) == 1
            assert kept[MAKE] == 'Maker'
            details = kept.get_ifd(EXIF_IFD)
            assert (details[WIDTH], details[HEIGHT]) == written.size == (240, 320)
            assert kept.get_ifd(GPS_IFD)[2] == (51.0, 28.0, 38.0)
        assert read_image(output).pixels.shape == (320, 240, 3)


def test_layout_tags_of_a_tiff_do_not_reach_the_result(tmp_path, rgb):
    path = tmp_path / 'a.tif'
    path.write_bytes(encoded(Image.fromarray(rgb), 'TIFF', description='A portrait', compression='tiff_lzw'))
    write_image(tmp_path / 'a.png', read_image(path))
    with Image.open(tmp_path / 'a.png') as written:
        assert dict(written.getexif()) == {270: 'A portrait'}


def test_damaged_exif_does_not_cost_the_photo(tmp_path, rgb):
    path = tmp_path / 'a.jpg'
    path.write_bytes(encoded(Image.fromarray(rgb), 'JPEG', exif=b'Exif\0\0II*\0\xff\xff\xff\xff' + b'\xff' * 40))
    assert read_image(path).pixels.shape == rgb.shape


@pytest.mark.parametrize('extension', ['png', 'tif'])
def test_16_bits_of_colour_grey_and_alpha_survive(tmp_path, deep, extension):
    alpha = deep[..., 0] // 2
    for stored in (deep, deep[..., 1], np.dstack((deep, alpha))):
        path = tmp_path / f'a.{extension}'
        cv2.imwrite(str(path), stored)
        photo = read_image(path)
        assert photo.grey == (stored.ndim == 2)
        assert np.array_equal(photo.pixels, np.dstack([stored] * 3) if stored.ndim == 2 else stored[..., :3])
        write_image(tmp_path / 'out.png', photo)
        assert np.array_equal(cv2.imread(str(tmp_path / 'out.png'), cv2.IMREAD_UNCHANGED), stored)


def test_16_bit_tiff_is_turned_upright_once(tmp_path, deep):
    path = tmp_path / 'a.tif'
    turned = np.ascontiguousarray(np.rot90(deep[..., ::-1]))
    tifffile.imwrite(path, turned, photometric='rgb', extratags=[(ORIENTATION, 'H', 1, 6, True)])
    assert np.array_equal(read_image(path).pixels, deep)


def test_16_bits_are_rounded_where_the_format_has_8(tmp_path, deep):
    assert as_uint8(np.array([0, 128, 129, 65406, 65407, 65535], np.uint16)).tolist() == [0, 0, 1, 254, 255, 255]
    write_image(tmp_path / 'a.webp', Photo(deep), quality=100)
    assert np.abs(read_image(tmp_path / 'a.webp').pixels.astype(int) - as_uint8(deep)).mean() < 4


def test_alpha_is_kept_and_resized(tmp_path, rgb):
    alpha = np.zeros(rgb.shape[:2], np.uint8)
    alpha[:, 60:] = 200
    Image.fromarray(np.dstack((rgb, alpha))).save(tmp_path / 'a.png')
    photo = read_image(tmp_path / 'a.png')
    assert np.array_equal(photo.alpha, alpha)
    double = photo.with_pixels(cv2.resize(photo.pixels, None, fx=2, fy=2))
    for name in ('out.png', 'out.webp'):
        write_image(tmp_path / name, double)
        read = read_image(tmp_path / name)
        assert read.alpha.shape == (320, 240)
        assert (read.alpha[:, :118] == 0).all()
        assert (read.alpha[:, 122:] == 200).all()
    write_image(tmp_path / 'out.jpg', double)
    assert read_image(tmp_path / 'out.jpg').alpha is None


def test_transparent_palette_becomes_alpha(tmp_path, rgb):
    palette = Image.fromarray(rgb).quantize(16)
    palette.save(tmp_path / 'a.png', transparency=3)
    assert np.array_equal(read_image(tmp_path / 'a.png').alpha == 0, np.asarray(palette) == 3)


def test_grey_stays_grey(tmp_path, rgb):
    Image.fromarray(rgb).convert('L').save(tmp_path / 'one_channel.jpg')
    Image.fromarray(rgb).convert('L').convert('RGB').save(tmp_path / 'three_channels.png')
    for name in ('one_channel.jpg', 'three_channels.png'):
        photo = read_image(tmp_path / name)
        assert photo.grey
        tinted = photo.pixels.copy()
        tinted[50:60, 50:60] = (0, 0, 255)
        for output in ('out.png', 'out.jpg'):
            write_image(tmp_path / output, photo.with_pixels(tinted))
            with Image.open(tmp_path / output) as written:
                assert written.mode == 'L'


def test_profile_is_kept_only_where_it_fits_the_channels(tmp_path, rgb):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile('sRGB')).tobytes()
    Image.fromarray(rgb).convert('L').convert('RGB').save(tmp_path / 'a.png', icc_profile=profile)
    for output in ('out.png', 'out.jpg', 'out.webp'):
        write_image(tmp_path / output, read_image(tmp_path / 'a.png'))
        with Image.open(tmp_path / output) as written:
            assert (written.mode, written.info['icc_profile']) == ('RGB', profile)


@pytest.mark.parametrize('kind', ['JPEG', 'TIFF'])
def test_cmyk_becomes_rgb(tmp_path, rgb, kind):
    (tmp_path / 'a').write_bytes(
        encoded(Image.fromarray(rgb).convert('CMYK'), kind, **{'JPEG': {'quality': 95}}.get(kind, {}))
    )
    photo = read_image(tmp_path / 'a')
    assert np.abs(photo.pixels.astype(int) - rgb[..., ::-1]).mean() < 3


@pytest.mark.parametrize('kind', ['GIF', 'WEBP', 'PNG'])
def test_first_frame_of_animations_with_a_warning(tmp_path, rgb, kind):
    frames = [Image.fromarray(rgb), Image.fromarray(255 - rgb)]
    options = {'lossless': True} if kind == 'WEBP' else {}
    (tmp_path / 'a').write_bytes(encoded(frames[0], kind, save_all=True, append_images=frames[1:], **options))
    photo = read_image(tmp_path / 'a')
    assert np.abs(photo.pixels.astype(int) - rgb[..., ::-1]).mean() < 12
    assert 'first frame' in photo.warnings[0]


def test_what_is_no_image_is_refused(tmp_path):
    (tmp_path / 'empty.jpg').touch()
    (tmp_path / 'text.jpg').write_text('this is no photo')
    tifffile.imwrite(tmp_path / 'float.tif', np.zeros((8, 8), np.float32))
    for name, message in {
        'empty.jpg': 'the file is empty',
        'text.jpg': 'not an image.*expected one of',
        'float.tif': '32 bits a channel, expected 8 or 16',
        'missing.jpg': 'cannot be read: No such file',
        '': 'cannot be read: Is a directory',
    }.items():
        with pytest.raises(InputError, match=message):
            read_image(tmp_path / name)


def test_decompression_bomb_is_refused_before_decoding(tmp_path):
    def chunk(kind, data):
        return struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data))

    header = chunk(b'IHDR', struct.pack('>IIBBBBB', 60_000, 60_000, 8, 2, 0, 0, 0))
    bomb = b'\x89PNG\r\n\x1a\n' + header + chunk(b'IDAT', zlib.compress(bytes(1_000_000))) + chunk(b'IEND', b'')
    (tmp_path / 'bomb.png').write_bytes(bomb)
    with pytest.raises(InputError, match=r'60000x60000 .* limit of 150000000; raise it with --max_pixels'):
        read_image(tmp_path / 'bomb.png')


def test_limit_is_the_caller_s_not_pillow_s(tmp_path, monkeypatch):
    monkeypatch.setattr(Image, 'MAX_IMAGE_PIXELS', 100)  # Pillow would refuse from 200 on
    monkeypatch.setattr(pillow_files, '_PILLOW_WARNS_ABOVE', 100)
    for name in ('a.png', 'a.tif', 'a.webp'):
        Image.new('RGB', (50, 50)).save(tmp_path / name)
        assert read_image(tmp_path / name, max_pixels=2500).pixels.shape == (50, 50, 3)
        with pytest.raises(InputError, match='limit of 2499'):
            read_image(tmp_path / name, max_pixels=2499)
    assert Image.MAX_IMAGE_PIXELS == 100


@pytest.mark.parametrize('shape', [(1, 1), (20, 30_000)])
def test_extreme_shapes(tmp_path, shape):
    pixels = np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8)
    write_image(tmp_path / 'a.png', pixels)
    assert np.array_equal(read_image(tmp_path / 'a.png').pixels, pixels)
    write_image(tmp_path / 'a.jpg', pixels)
    assert read_image(tmp_path / 'a.jpg').pixels.shape == pixels.shape


def test_sides_that_a_format_cannot_hold_are_refused(tmp_path):
    for name, limit in (('a.webp', 16_383), ('a.jpg', 65_500)):
        write_image(tmp_path / name, np.zeros((1, limit, 3), np.uint8))
        with pytest.raises(InputError, match=r'too large for (WEBP|JPEG).*use \.png'):
            write_image(tmp_path / name, np.zeros((1, limit + 1, 3), np.uint8))


def test_names_with_unicode_and_spaces(tmp_path, rgb):
    path = tmp_path / 'Größe 写真 é' / 'my  photo ☺.png'
    path.parent.mkdir()
    write_image(path, rgb)
    assert np.array_equal(read_image(path).pixels, rgb)
    assert list_images(path.parent) == [path]


def test_list_images(tmp_path):
    for name in ('b.JPG', 'a.png', 'c.webp', 'notes.txt', '._a.png', 'sub/d.png'):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert [path.name for path in list_images(tmp_path)] == ['a.png', 'b.JPG', 'c.webp']
    assert [path.name for path in list_images(tmp_path / '*.[jJ][pP]*')] == ['b.JPG']
    assert [path.name for path in list_images(f'{tmp_path}/**/*.png')] == ['a.png', 'd.png']
    assert list_images(tmp_path / 'notes.txt') == [tmp_path / 'notes.txt']  # named by the user: reading it explains
    (tmp_path / 'x[1].png').touch()
    assert list_images(tmp_path / 'x[1].png') == [tmp_path / 'x[1].png']
    (tmp_path / 'empty').mkdir()
    for nothing in ('empty', 'missing', '*.tiff'):
        with pytest.raises(InputError, match=r'no image.*expected \.apng'):
            list_images(tmp_path / nothing)


def test_unknown_extension_is_refused(tmp_path, rgb):
    with pytest.raises(InputError, match=r'cannot write this extension, expected one of \.png'):
        write_image(tmp_path / 'a.gif', rgb)


def test_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, rgb, monkeypatch):
    write_image(tmp_path / 'a.png', rgb)
    before = (tmp_path / 'a.png').read_bytes()

    def disk_full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, 'replace', disk_full)
    with pytest.raises(OutputError, match=r'a\.png: cannot be written: No space left on device'):
        write_image(tmp_path / 'a.png', 255 - rgb)
    assert [path.name for path in tmp_path.iterdir()] == ['a.png']
    assert (tmp_path / 'a.png').read_bytes() == before


def test_text_chunks_of_a_png_do_not_matter(tmp_path, rgb):
    info = PngImagePlugin.PngInfo()
    info.add_text('Comment', 'x' * 1000, zip=True)
    Image.fromarray(rgb).save(tmp_path / 'a.png', pnginfo=info)
    assert np.array_equal(read_image(tmp_path / 'a.png').pixels, rgb[..., ::-1])
