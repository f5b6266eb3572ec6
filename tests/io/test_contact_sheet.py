import numpy as np

from daefr_arch.io.contact_sheet import GAP, SMALLEST_TILE, contact_sheet


def test_places_sizes_and_colours():
    red, blue = np.zeros((2, 8, 8, 3), np.uint8)
    red[..., 2], blue[..., 0] = 255, 255
    sheet = contact_sheet([[red, blue], [blue, red[:4]]], ['a', 'b'], tile=16)
    assert sheet.shape[1] == 2 * (16 + GAP) + GAP
    header, body = np.split(sheet, [-2 * (16 + GAP)])
    left, right = slice(GAP, GAP + 16), slice(2 * GAP + 16, 2 * GAP + 32)
    assert (body[:16, left] == (0, 0, 255)).all()
    assert (body[:16, right] == (255, 0, 0)).all()
    assert (body[16 + GAP : 24 + GAP, right] == (0, 0, 255)).all()
    assert (body[24 + GAP :, right] == 255).all()  # the tile of a flat image is filled up with white
    assert (header == 0).any()


def test_every_picture_stands_below_its_label():
    faces = [np.full((32, 32, 3), (value, 0, 255 - value), np.uint8) for value in (0, 100, 200)]
    strip = contact_sheet([faces], ['t0', 't1', 't2'], texts=['some words ' * 9] * 3)
    side = -(-SMALLEST_TILE // 32) * 32
    assert strip.shape[1] == 3 * (side + GAP) + GAP
    for index, face in enumerate(faces):
        left = GAP + index * (side + GAP)
        tile = strip[-GAP - side : -GAP, left : left + side]
        assert (tile == face[0, 0]).all()
        label = strip[: -GAP - side, left : left + side]
        assert label.min() < 64  # black on
        assert label.mean() > 160  # white
    assert (strip[-GAP:] == 255).all()


def test_large_pictures_keep_their_pixels():
    face = np.random.default_rng(0).integers(0, 256, (256, 256, 3), np.uint8)
    assert (contact_sheet([[face]], ['a'])[-GAP - 256 : -GAP, GAP:-GAP] == face).all()
