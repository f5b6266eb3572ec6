import numpy as np

from daefr_arch.restoration.contact_sheet import TITLE, contact_sheet


def test_places_sizes_and_colours():
    red, blue = np.zeros((2, 8, 8, 3), np.uint8)
    red[..., 2], blue[..., 0] = 255, 255
    sheet = contact_sheet([[red, blue], [blue, red[:4]]], ['a', 'b'], tile=16)
    assert sheet.shape == (TITLE + 32, 32, 3)
    assert (sheet[TITLE : TITLE + 16, :16] == (0, 0, 255)).all()
    assert (sheet[TITLE : TITLE + 16, 16:] == (255, 0, 0)).all()
    assert (sheet[TITLE + 16 : TITLE + 24, 16:] == (0, 0, 255)).all()
    assert (sheet[TITLE + 24 :, 16:] == 255).all()  # the tile of a flat image is filled up with white
    assert (sheet[:TITLE] == 0).any()
