"""Photos whose colours are not sRGB's: the network sees sRGB, the photo keeps its profile and its colours."""

import json

import cv2
import numpy as np
import pytest
from PIL import Image

from daefr_arch.io.colour_space import colour_space
from daefr_arch.io.image_file import read_image, write_image
from daefr_arch.io.photo import Photo
from daefr_arch.metadata.metadata import Metadata
from daefr_arch.restoration.output_layout import OutputLayout
from daefr_arch.restoration.photo_folder import restore_photos
from daefr_arch.restoration.restorer import DAEFRRestorer
from tests.faces.photos import FakeNetwork, astronaut, nothing_shown
from tests.io.profiles import WIDE, grey_profile

BOX = np.s_[80:170, 190:265]  # inside of the astronaut's face


class BareUpsampler:
    """A stand-in for Real-ESRGAN."""

    def enhance(self, img, outscale=None):
        return cv2.resize(img, None, fx=outscale, fy=outscale), None


@pytest.fixture(scope='module')
def restorer():
    """Finds and pastes real faces; its network brightens them instead of restoring them."""
    network = FakeNetwork(brightness=0.1)
    return DAEFRRestorer(network, upscale=1, device='cpu', precision='fp32', fusion=nothing_shown(), offline=True)


@pytest.fixture(scope='module')
def in_srgb(restorer):
    """The astronaut's crops, faces and restored photo."""
    return restorer.enhance(astronaut())


def run(restorer, photo, profile):
    work = restorer.find_faces(photo, icc_profile=profile)
    restorer.restore_faces([work])
    return restorer.finish(work)


@pytest.mark.parametrize('bits', [8, 16])
@pytest.mark.parametrize('profile', WIDE.values(), ids=WIDE)
def test_the_same_photo_in_another_space(restorer, in_srgb, profile, bits):
    space = colour_space(profile)
    levels = space.from_srgb(astronaut())
    photo = np.rint(levels).astype(np.uint8) if bits == 8 else np.rint(levels * 257).astype(np.uint16)
    crops, faces, restored = run(restorer, photo, profile)
    srgb_crops, srgb_faces, srgb_restored = in_srgb
    # eight bits of linear light are few in the dark: there the photo itself is coarser
    tolerance = 0.6 if bits == 16 else 3 if profile == WIDE['linear'] else 1.2
    for own, expected in ((crops[0], srgb_crops[0]), (faces[0], srgb_faces[0])):
        assert np.abs(own.astype(int) - expected).mean() < tolerance
    assert np.array_equal(restored[300:], photo[300:])
    assert np.array_equal(restored[:, :100], photo[:, :100])
    seen = space.to_srgb(restored).astype(int)
    assert np.abs(seen[BOX] - srgb_restored[BOX]).mean() < tolerance
    assert np.abs(srgb_restored[BOX].astype(int) - astronaut()[BOX]).mean() > 10  # there is something to get wrong
    untold = run(restorer, photo, None)[0][0].astype(int)
    assert np.abs(untold - srgb_crops[0]).mean() > 3 * np.abs(crops[0].astype(int) - srgb_crops[0]).mean()


def test_faces_that_take_the_photo_s_place_have_its_colours(restorer):
    drawn_anew = DAEFRRestorer(
        FakeNetwork(brightness=0.1),
        upscale=1,
        device='cpu',
        precision='fp32',
        fusion=nothing_shown(),
        bg_upsampler=BareUpsampler(),
        detector=restorer.detector,
    )
    space = colour_space(WIDE['p3'])
    photo = np.rint(space.from_srgb(astronaut())).astype(np.uint8)
    restored, in_srgb = run(drawn_anew, photo, WIDE['p3'])[2], drawn_anew.enhance(astronaut())[2]
    assert np.abs(space.to_srgb(restored)[BOX].astype(int) - in_srgb[BOX]).mean() < 1.2
    assert np.abs(restored[BOX].astype(int) - in_srgb[BOX]).mean() > 3


@pytest.mark.parametrize('source', ['png', 'jpg'])
@pytest.mark.parametrize('name', ['p3', 'prophoto', 'adobe'])
def test_results_keep_the_profile_and_crops_are_srgb(tmp_path, restorer, in_srgb, name, source):
    profile = WIDE[name]
    photo = np.rint(colour_space(profile).from_srgb(astronaut())).astype(np.uint8)
    (tmp_path / 'in').mkdir()
    write_image(tmp_path / f'in/a.{source}', Photo(photo, icc_profile=profile))
    layout = OutputLayout(tmp_path / 'out')
    path = tmp_path / f'in/a.{source}'
    restore_photos(restorer, [path], layout, report=tmp_path / 'report.jsonl')
    line = json.loads((tmp_path / 'report.jsonl').read_text())
    assert (line['status'], line['warnings']) == ('ok', [])
    assert read_image(layout.photo(path)).icc_profile == profile
    if source == 'png':
        assert np.array_equal(read_image(layout.photo(path)).pixels[300:], photo[300:])
    for crop, expected in (
        (layout.cropped_face(path, 0), in_srgb[0][0]),
        (layout.restored_face(path, 0), in_srgb[1][0]),
    ):
        with Image.open(crop) as image:
            assert image.info['srgb'] == 0
            assert 'icc_profile' not in image.info
        assert np.abs(read_image(crop).pixels.astype(int) - expected).mean() < (2 if source == 'png' else 4)


def test_an_aligned_face_is_srgb_and_keeps_what_it_carries(tmp_path, restorer):
    face = np.ascontiguousarray(astronaut()[:256, 96:352])
    photo = np.rint(colour_space(WIDE['p3']).from_srgb(face) * 257).astype(np.uint16)
    metadata = Metadata(texts=((b'tEXt', b'Title\0a face'),))
    write_image(tmp_path / 'a.png', Photo(photo, icc_profile=WIDE['p3'], metadata=metadata))
    layout = OutputLayout(tmp_path / 'out', has_aligned=True)
    restore_photos(restorer, [tmp_path / 'a.png'], layout, report=tmp_path / 'report.jsonl')
    with Image.open(layout.restored_face(tmp_path / 'a.png', 0)) as image:
        assert (image.info['srgb'], image.info['Title']) == (0, 'a face')
    line = json.loads((tmp_path / 'report.jsonl').read_text())
    lost = ('16 bits a channel', 'the colour profile, the face is sRGB')
    assert line['warnings'] == [f'of an aligned face is lost: {what}' for what in lost]
    aligned = read_image(layout.cropped_face(tmp_path / 'a.png', 0) or layout.restored_face(tmp_path / 'a.png', 0))
    expected = restorer.enhance(face, has_aligned=True)[1][0]
    assert np.abs(aligned.pixels.astype(int) - expected).mean() < 1


def test_grey_photos_with_a_profile_of_their_own(tmp_path, restorer):
    grey = cv2.cvtColor(astronaut(), cv2.COLOR_BGR2GRAY)
    levels = np.rint(colour_space(grey_profile(1.4)).from_srgb(cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR)))
    Image.fromarray(levels[..., 0].astype(np.uint8)).save(tmp_path / 'a.png', icc_profile=grey_profile(1.4))
    photo = read_image(tmp_path / 'a.png')
    crops, _, restored = run(restorer, photo.pixels, photo.icc_profile)
    expected = restorer.enhance(grey)[0][0]
    assert np.abs(crops[0].astype(int) - expected).mean() < 2
    write_image(tmp_path / 'b.png', photo.with_pixels(restored))
    with Image.open(tmp_path / 'b.png') as image:
        assert (image.mode, image.info['icc_profile']) == ('L', grey_profile(1.4))
