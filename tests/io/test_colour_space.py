"""Colours against littlecms, and what photos state about them."""

import struct
import zlib
from io import BytesIO

import cv2
import numpy as np
import pytest
from PIL import Image, ImageCms

from daefr_arch.io.colour_space import LittleCmsSpace, MatrixSpace, colour_space
from daefr_arch.io.image_file import read_image, write_image
from daefr_arch.metadata.icc_profile import SRGB_CURVE, SRGB_PRIMARIES, matrix_and_curves, matrix_profile
from daefr_arch.metadata.png_chunks import chunk
from tests.io.profiles import ADOBE, LINEAR, P3, WIDE, grey_profile, profile_of, scanner_profile

SRGB_PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile('sRGB')).tobytes()


@pytest.fixture(scope='module')
def colours():
    """Natural ones and all others, BGR (64, 256, 3)."""
    return np.random.default_rng(0).integers(0, 256, (64, 256, 3), np.uint8)


def managed(pixels, profile, source='RGB', intent=ImageCms.Intent.RELATIVE_COLORIMETRIC):
    """BGR in sRGB by littlecms."""
    image = Image.fromarray(np.ascontiguousarray(pixels[..., ::-1])).convert(source)
    space = ImageCms.ImageCmsProfile(BytesIO(profile))
    converted = ImageCms.profileToProfile(image, space, ImageCms.createProfile('sRGB'), intent, 'RGB')
    return np.asarray(converted)[..., ::-1]


def curve_tag(*values):
    return b'curv' + struct.pack(f'>4xI{len(values)}H', len(values), *values)


def with_curves(curve):
    """sRGB's colorants with another curve."""
    tags = {name: b'XYZ \0\0\0\0' + struct.pack('>3i', *xyz) for name, xyz in (
        (b'rXYZ', (28574, 14582, 911)), (b'gXYZ', (25238, 46983, 6364)), (b'bXYZ', (9378, 3971, 46787)),
    )}  # fmt: skip
    return profile_of(b'RGB ', b'mntr', tags | dict.fromkeys((b'rTRC', b'gTRC', b'bTRC'), curve))


PARAMETRIC = {
    0: (1.8,),
    1: (2.0, 1.1, -0.1),
    2: (2.0, 0.9, -0.05, 0.1),
    3: SRGB_CURVE,
    4: (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045, 0.0, 0.0),
}
CURVES = {f'function {kind}': b'para' + struct.pack(f'>4xHxx{len(values)}i', kind, *(round(v * 65536) for v in values))
          for kind, values in PARAMETRIC.items()} | {
    'none': curve_tag(), 'gamma': curve_tag(563), 'table': curve_tag(*(np.linspace(0, 1, 40) ** 3 * 65535).astype(int)),
}  # fmt: skip


@pytest.mark.parametrize('profile', [*WIDE.values(), *map(with_curves, CURVES.values())], ids=[*WIDE, *CURVES])
def test_to_srgb_as_littlecms(colours, profile):
    space = MatrixSpace(*matrix_and_curves(profile))
    error = np.abs(space.to_srgb(colours).astype(int) - managed(colours, profile))
    assert error.max() <= 1
    assert error.mean() < 0.03
    deep = space.to_srgb(colours.astype(np.uint16) * 257)
    assert np.array_equal(deep, space.to_srgb(colours))


@pytest.mark.parametrize('profile', WIDE.values(), ids=WIDE)
def test_from_srgb_leads_back_to_colours_that_srgb_holds(colours, profile):
    space = colour_space(profile)
    levels = space.from_srgb(colours)
    assert levels.dtype == np.float32
    deep = np.rint(levels * 257).astype(np.uint16)
    assert np.abs(space.to_srgb(deep).astype(int) - colours).max() <= 1


def test_16_bits_are_finer_than_8_in_a_wide_space():
    """A dark ramp in ProPhoto: 8 bits of it are steps of up to 3 levels of sRGB."""
    space = colour_space(WIDE['prophoto'])
    ramp = np.linspace(0, 6000, 2048).astype(np.uint16)[None, :, None].repeat(3, axis=2)
    assert np.diff(space.to_srgb(ramp)[0, :, 0].astype(int)).max() == 1


@pytest.mark.parametrize('profile', [SRGB_PROFILE, matrix_profile('sRGB', SRGB_PRIMARIES, SRGB_CURVE)])
def test_srgb_by_any_name_costs_nothing(profile):
    assert colour_space(profile) is None


def test_grey_profile(colours):
    grey = colours[..., :1].repeat(3, axis=2)
    linear = colour_space(grey_profile(1.0))
    assert np.abs(linear.to_srgb(grey).astype(int) - colour_space(LINEAR).to_srgb(grey)).max() <= 1
    profile = grey_profile(1.8)  # littlecms interpolates grey in the dark, by up to three levels here
    assert np.abs(colour_space(profile).to_srgb(grey).astype(int) - managed(grey, profile, 'L')).mean() < 0.3


def test_profiles_of_tables_go_through_littlecms(colours):
    profile = scanner_profile()
    space = colour_space(profile)
    assert isinstance(space, LittleCmsSpace)
    expected = managed(colours, profile, intent=ImageCms.Intent.PERCEPTUAL)
    assert np.abs(space.to_srgb(colours).astype(int) - expected).max() == 0
    assert np.abs(space.to_srgb(colours).astype(int) - colour_space(LINEAR).to_srgb(colours)).mean() < 1


def test_a_profile_without_way_back_makes_the_photo_srgb(tmp_path, colours):
    Image.fromarray(np.ascontiguousarray(colours[..., ::-1])).save(tmp_path / 'a.png', icc_profile=scanner_profile())
    photo = read_image(tmp_path / 'a.png')
    assert photo.icc_profile is None
    assert 'leads one way only: the result is sRGB' in photo.warnings[0]
    assert np.array_equal(photo.pixels, managed(colours, scanner_profile(), intent=ImageCms.Intent.PERCEPTUAL))


@pytest.mark.parametrize(
    'profile',
    [
        b'no profile',
        ADOBE[:300],
        ADOBE.replace(b'para', b'none'),
        ADOBE.replace(b'acsp', b'xxxx'),
        ADOBE.replace(b'RGB ', b'CMYK'),
        ADOBE.replace(b'mntr', b'link'),
        grey_profile(2.2),
        ADOBE[:128] + bytes(len(ADOBE) - 128),
        with_curves(curve_tag(*[9] * 5)),
        with_curves(b'para' + struct.pack('>4xHxxi', 9, 9)),
        with_curves(curve_tag(1)[:10]),
    ],
)
def test_damaged_and_unfit_profiles_are_named_and_left_out(tmp_path, colours, profile):
    Image.fromarray(np.ascontiguousarray(colours[..., ::-1])).save(tmp_path / 'a.png', icc_profile=profile)
    photo = read_image(tmp_path / 'a.png')
    assert photo.icc_profile is None
    assert np.array_equal(photo.pixels, colours)
    assert len(photo.warnings) == 1
    assert 'left out, and the colours are taken as sRGB' in photo.warnings[0]


def png(pixels, *chunks):
    data = cv2.imencode('.png', pixels)[1].tobytes()
    return data[:33] + b''.join(chunk(*one) for one in chunks) + data[33:]


def chromaticities(primaries):
    return b'cHRM', struct.pack('>8I', *(round(100_000 * value) for value in (*primaries[6:], *primaries[:6])))


WIDE_PRIMARIES = (0.68, 0.32, 0.265, 0.69, 0.15, 0.06, 0.3127, 0.329)
STATED = {
    'gAMA': ([(b'gAMA', struct.pack('>I', 100_000))], LINEAR),
    'cHRM': ([chromaticities(WIDE_PRIMARIES)], P3),
    'gAMA and cHRM': (
        [(b'gAMA', struct.pack('>I', 55556)), chromaticities(WIDE_PRIMARIES)],
        matrix_profile('', WIDE_PRIMARIES, (1.8,)),
    ),
    'cICP': ([(b'cICP', b'\x0c\x0d\0\1')], P3),
}


@pytest.mark.parametrize(('chunks', 'profile'), STATED.values(), ids=STATED)
def test_colours_that_png_chunks_state(tmp_path, colours, chunks, profile):
    (tmp_path / 'a.png').write_bytes(png(colours, *chunks))
    photo = read_image(tmp_path / 'a.png')
    expected = colour_space(profile).to_srgb(colours).astype(int)
    assert np.abs(colour_space(photo.icc_profile).to_srgb(colours) - expected).max() <= 1
    write_image(tmp_path / 'b.png', photo)
    written = (tmp_path / 'b.png').read_bytes()
    assert all(chunk(*one) in written for one in chunks)
    assert b'iCCP' not in written
    for name in ('b.jpg', 'b.webp'):  # these hold no such chunks, but a profile that says the same
        lost = write_image(tmp_path / name, photo)
        assert lost == (
            ()
            if chunks[0][0] != b'cICP'
            else (f'{name[2:].upper().replace("JPG", "JPEG")} cannot hold the PNG chunk cICP: it is lost',)
        )
        with Image.open(tmp_path / name) as image:
            assert image.info['icc_profile'] == photo.icc_profile


@pytest.mark.parametrize(
    'chunks',
    [
        [(b'gAMA', struct.pack('>I', 45455))],
        [(b'gAMA', struct.pack('>I', 45455)), chromaticities(SRGB_PRIMARIES)],
        [(b'sRGB', b'\0'), (b'gAMA', struct.pack('>I', 100_000))],
        [(b'gAMA', bytes(4)), (b'cHRM', bytes(32))],
        [(b'cICP', b'\x01\x0d\0\1')],
    ],
)
def test_png_chunks_that_mean_srgb(tmp_path, colours, chunks):
    (tmp_path / 'a.png').write_bytes(png(colours, *chunks))
    photo = read_image(tmp_path / 'a.png')
    assert photo.icc_profile is None
    write_image(tmp_path / 'b.png', photo)
    assert all(chunk(*one) in (tmp_path / 'b.png').read_bytes() for one in chunks)


def test_a_profile_comes_before_gama(tmp_path, colours):
    profile = (b'iCCP', b'p\0\0' + zlib.compress(ADOBE))
    (tmp_path / 'a.png').write_bytes(png(colours, profile, (b'gAMA', struct.pack('>I', 100_000))))
    photo = read_image(tmp_path / 'a.png')
    assert photo.icc_profile == ADOBE
    write_image(tmp_path / 'b.png', photo)
    with Image.open(tmp_path / 'b.png') as image:
        assert (image.info['icc_profile'], image.info['gamma']) == (ADOBE, 1.0)


def test_adobe_rgb_by_exif_alone(tmp_path, colours):
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0xA001] = 0xFFFF
    exif.get_ifd(0x8769)[0xA005] = {1: 'R03'}
    exif[0x8769] = exif.get_ifd(0x8769)
    Image.fromarray(colours).save(tmp_path / 'a.jpg', exif=exif)
    photo = read_image(tmp_path / 'a.jpg')
    expected = managed(colours, ADOBE).astype(int)
    assert np.abs(colour_space(photo.icc_profile).to_srgb(colours) - expected).max() <= 1
