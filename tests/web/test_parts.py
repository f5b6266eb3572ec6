"""Parts of the server alone: faces on disk, the closer look, archives, addresses."""

import io
import zipfile

import numpy as np
import pytest

from daefr_arch.errors import UsageError
from daefr_arch.faces.detector import build_detector
from daefr_arch.web.background import KeptBackground
from daefr_arch.web.closer_look import FaceAt, is_same_face
from daefr_arch.web.kept_faces import KeptFaces
from daefr_arch.web.pictures import surroundings
from daefr_arch.web.server import listen
from daefr_arch.web.zipped import zipped
from tests.faces.photos import ASTRONAUT_LANDMARKS, all_shown, astronaut, nothing_shown


def test_kept_faces_come_back_as_they_were(tmp_path):
    faces = KeptFaces()
    for value, matrix in ((9, np.eye(2, 3)), (200, np.full((2, 3), 0.25))):
        faces.add(np.full((256, 256, 3), value, np.uint8), matrix)
    faces.evidence = [*nothing_shown().assess(faces.crops[:1]), *all_shown().assess(faces.crops[1:])]
    assert faces.unseen(None) == [0]
    assert faces.unseen(0.2) == [0, 1]
    faces.network_faces[0], faces.seen[0] = np.full((64, 64, 3), 7, np.uint8), True
    assert faces.unseen(None) == []
    faces.save(tmp_path / 'faces.npz')
    loaded = KeptFaces.load(tmp_path / 'faces.npz')
    assert loaded.seen == [True, False]
    assert loaded.network_faces[1] is None
    for ours, theirs in zip(faces.crops + faces.matrices, loaded.crops + loaded.matrices, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    for ours, theirs in zip(faces.evidence, loaded.evidence, strict=True):
        assert (ours.luma, ours.chroma, ours.verdict) == (theirs.luma, theirs.chroma, theirs.verdict)
        for a, b in zip(ours.log_ratios, theirs.log_ratios, strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize('turned', [0, 45, 180])
def test_the_closer_look_finds_a_small_turned_face(turned):
    """In a photo of which the face is a twentieth, turned by any angle; beside it there is none."""
    import cv2

    photo = np.full((1600, 1600, 3), 120, np.uint8)
    matrix = cv2.getRotationMatrix2D((223, 120), turned, 0.7)
    matrix[:, 2] += (600 - 223, 500 - 120)
    cv2.warpAffine(astronaut(), matrix, (1600, 1600), dst=photo, borderMode=cv2.BORDER_TRANSPARENT)
    detector = build_detector('retinaface_mobile0.25_onnx', offline=True)
    (face,) = FaceAt(detector, 600, 500).detect(photo)
    expected = ASTRONAUT_LANDMARKS @ matrix[:, :2].T + matrix[:, 2]
    assert np.abs(face.landmarks - expected).max() < 6
    if turned == 0:
        assert FaceAt(detector, 1400, 1400).detect(photo) == []


def test_boxes_of_one_face():
    assert is_same_face((0, 0, 10, 10), (1, 1, 11, 11))
    assert not is_same_face((0, 0, 10, 10), (8, 8, 18, 18))
    assert not is_same_face((0, 0, 10, 10), (20, 20, 30, 30))


def test_surroundings_stay_in_the_photo():
    assert surroundings((40, 40, 60, 60), 100, 100) == (33, 33, 67, 67)
    assert surroundings((-20, -20, 10, 10), 100, 50) == (0, 0, 20, 20)
    assert surroundings((95, 95, 130, 130), 100, 100) == (83, 83, 100, 100)


def test_an_archive_in_pieces(tmp_path):
    (tmp_path / '1').write_bytes(bytes(3 << 20))
    (tmp_path / '2').write_bytes(b'b')
    files = [
        (tmp_path / '1', 'Fête.jpg'),
        (tmp_path / '2', 'fête.jpg'),
        (tmp_path / 'gone', 'x'),
        (tmp_path / '2', 'Fête.jpg'),
    ]
    pieces = list(zipped(files))
    assert max(map(len, pieces)) < 2 << 20
    with zipfile.ZipFile(io.BytesIO(b''.join(pieces))) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == ['Fête.jpg', 'fête (2).jpg', 'Fête (3).jpg']
        assert archive.read('Fête.jpg') == bytes(3 << 20)


def test_a_background_is_enlarged_once_a_size(tmp_path):
    class Upsampler:
        calls = 0

        def enhance(self, img, outscale):
            self.calls += 1
            return np.repeat(np.repeat(img, int(outscale), 0), int(outscale), 1), 'RGB'

    upsampler, photo = Upsampler(), np.arange(48, dtype=np.uint16).reshape(4, 4, 3)
    first, again, other = (KeptBackground(upsampler, tmp_path).enhance(photo, scale)[0] for scale in (2, 2, 3))
    np.testing.assert_array_equal(first, again)
    assert (first.dtype, first.shape, other.shape) == (np.uint16, (8, 8, 3), (12, 12, 3))
    assert upsampler.calls == 2


def test_a_port_that_is_taken():
    with listen('127.0.0.1', 0) as first:
        port = first.getsockname()[1]
        with pytest.raises(UsageError, match=f'port {port}: .*--port'):
            listen('127.0.0.1', port)
    with listen('127.0.0.1', None) as first, listen('127.0.0.1', None) as second:
        assert first.getsockname() != second.getsockname()
    with pytest.raises(UsageError, match='cannot listen at'):
        listen('no such host', 0)
