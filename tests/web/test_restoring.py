"""Photos through the API: the result is the command's, changes need no network, users do not meet."""

import io
import threading
import zipfile

import cv2
import numpy as np
import pytest

from daefr_arch.faces.detector import DetectedFace
from daefr_arch.restoration.output_layout import OutputLayout
from daefr_arch.restoration.photo_folder import restore_photos
from tests.faces.photos import ASTRONAUT_LANDMARKS, all_shown, astronaut
from tests.web.conftest import FixedDetector, encoded, fast_restorer, serving


def command_file(restorer, content, name, tmp_path, *, weight=None, **layout):
    """What `daefr restore` writes."""
    (tmp_path / 'in').mkdir(exist_ok=True, parents=True)
    source = tmp_path / 'in' / name
    source.write_bytes(content)
    layout = OutputLayout(tmp_path / 'out', **layout)
    restore_photos(restorer, [source], layout, report=tmp_path / 'report.jsonl', weight=weight)
    return layout.result(source)


@pytest.mark.parametrize(
    ('extension', 'options', 'name'),
    [
        ('.png', {}, 'photo.png'),
        ('.jpg', {}, 'PHOTO.JPG'),
        ('.webp', {}, 'photo.webp'),
        ('.tiff', {}, 'photo.tiff'),
        ('.jpg', {'ext': 'png'}, 'photo.jpg'),
        ('.png', {'weight': 0.25}, 'photo.png'),
        ('.png', {'upscale': 1}, 'photo.png'),
        ('.png', {'has_aligned': True}, 'face.png'),
    ],
)
def test_download_is_the_commands_file(client, tmp_path, extension, options, name):
    content = encoded(astronaut(), extension)
    restorer = fast_restorer(upscale=options.get('upscale', 2))
    layout = {'extension': options.get('ext', 'auto'), 'has_aligned': options.get('has_aligned', False)}
    expected = command_file(restorer, content, name, tmp_path, weight=options.get('weight'), **layout)
    id_ = client.sent(content, name, **options)
    job = client.done(id_)
    assert (job['state'], job['error']) == ('done', None)
    assert client.result(id_) == expected.read_bytes()
    assert job['result'] == {'name': expected.name, 'bytes': expected.stat().st_size}
    disposition = client.call('GET', f'/api/jobs/{id_}/result').headers['content-disposition']
    assert disposition == f'attachment; filename="{expected.name}"'


def test_metadata_depth_and_grey_are_the_commands(client, restorer, tmp_path):
    deep = encoded(astronaut().astype(np.uint16) * 257)
    grey = encoded(cv2.cvtColor(astronaut(), cv2.COLOR_BGR2GRAY), '.jpg')
    for content, name in ((deep, 'deep.png'), (grey, 'grey.jpg')):
        id_ = client.sent(content, name)
        client.done(id_)
        assert client.result(id_) == command_file(restorer, content, name, tmp_path).read_bytes()


def test_changes_need_no_network(client, restorer, photo, tmp_path):
    id_ = client.sent(photo)
    first = client.done(id_)
    passes = len(restorer.network.network.batches)
    auto = client.result(id_)
    for weight in (1.0, 0.0, None):
        job = client.change(id_, weight=weight)
        assert job['settings']['weight'] == weight
        expected = command_file(restorer, photo, 'photo.png', tmp_path / str(weight), weight=weight) if weight else None
        assert expected is None or client.result(id_) == expected.read_bytes()
        passes += expected is not None  # the command's own
    assert client.result(id_) == auto
    assert len(restorer.network.network.batches) == passes
    assert client.done(id_)['version'] == first['version'] + 3
    assert client.change(id_, upscale=1, ext='webp')['result']['name'] == 'photo.webp'
    assert len(restorer.network.network.batches) == passes


def test_a_face_that_is_left_out_keeps_its_pixels(client, photo):
    id_ = client.sent(photo, upscale=1)
    client.done(id_)
    restored = cv2.imdecode(np.frombuffer(client.result(id_), np.uint8), cv2.IMREAD_COLOR)
    assert not np.array_equal(restored, astronaut())
    job = client.change(id_, left_out=[0])
    assert job['faces'][0]['left_out']
    assert job['faces'][0]['status'] is None
    untouched = cv2.imdecode(np.frombuffer(client.result(id_), np.uint8), cv2.IMREAD_COLOR)
    np.testing.assert_array_equal(untouched, astronaut())
    assert client.change(id_, left_out=[])['faces'][0]['status'] == 'guessed'
    again = cv2.imdecode(np.frombuffer(client.result(id_), np.uint8), cv2.IMREAD_COLOR)
    np.testing.assert_array_equal(again, restored)


class OneAtATime(FixedDetector):
    """Overlooks every face of a whole photo, and finds what is large in a part of it."""

    def detect(self, img):
        found = super().detect(np.zeros((512, 512, 3), np.uint8))
        if self.closer:
            found = [DetectedFace((200.0, 200.0, 300.0, 300.0), 0.95, np.add(ASTRONAUT_LANDMARKS, (26, 120)))]
        return found

    closer = False


def test_a_face_is_added_where_somebody_points(photo):
    detector = OneAtATime()
    restorer = fast_restorer(detector=detector)
    with serving(restorer) as client:
        id_ = client.sent(photo)
        assert client.done(id_)['faces'] == []
        answer = client.call('POST', f'/api/jobs/{id_}/faces', json={'x': 100, 'y': 100})
        assert answer.status_code == 202
        assert client.done(id_)['notice'] == 'No face was found there.'
        detector.closer = True
        client.call('POST', f'/api/jobs/{id_}/faces', json={'x': 100, 'y': 100})
        job = client.done(id_)
        assert (job['notice'], len(job['faces'])) == (None, 1)
        x0, y0, x1, y1 = job['faces'][0]['box']
        assert x0 < 100 < x1
        assert y0 < 100 < y1
        assert job['faces'][0]['status'] == 'guessed'
        client.call('POST', f'/api/jobs/{id_}/faces', json={'x': 100, 'y': 100})
        job = client.done(id_)
        assert (job['notice'], len(job['faces'])) == ('This face is found already.', 1)
        assert client.call('POST', f'/api/jobs/{id_}/faces', json={'x': 600, 'y': 1}).status_code == 400


def test_pictures_for_the_page(client, photo):
    id_ = client.sent(photo)
    client.done(id_)
    for kind, query, side in (
        ('thumbnail', '', 240),
        ('before', '', 512),
        ('after', '', 1024),
        ('before', '?face=0', 204),
        ('after', '?face=0', 408),
    ):
        answer = client.call('GET', f'/api/jobs/{id_}/{kind}.jpg{query}')
        assert answer.headers['content-type'] == 'image/jpeg'
        picture = cv2.imdecode(np.frombuffer(answer.content, np.uint8), cv2.IMREAD_COLOR)
        assert picture.shape == (side, side, 3)
    for wrong in ('before.jpg?face=7', 'before.jpg?face=-1', 'before.jpg?face=..', 'photo.jpg', 'before.jpg?face=٣'):
        assert client.call('GET', f'/api/jobs/{id_}/{wrong}').status_code == 404


def test_no_face_and_no_photo_are_said_in_words(client):
    landscape = client.sent(encoded(np.full((60, 80, 3), 99, np.uint8)), 'landscape.png')
    text = client.sent(b'a letter', '<img src=x onerror=alert(1)>.png')
    job = client.done(landscape)
    assert (job['state'], job['faces'], job['result']['name']) == ('done', [], 'landscape.png')
    job = client.done(text)
    assert job['state'] == 'failed'
    assert job['name'] == '<img src=x onerror=alert(1)>.png'
    assert job['error'].startswith('not an image, or damaged')
    raw = client.done(client.sent(b'raw samples', 'IMG_1.CR2'))
    assert raw['error'] == 'not an image, or damaged; raw needs: export it as TIFF or JPEG'
    assert client.call('GET', f'/api/jobs/{text}/result').status_code == 409


def test_a_photo_that_failed_can_be_tried_with_other_settings(photo):
    with serving(max_pixels=512 * 512) as client:
        id_ = client.sent(photo, upscale=4)
        job = client.done(id_)
        assert job['error'] == 'the result would have 4 million pixels, expected at most 1: choose a smaller size'
        assert client.change(id_, upscale=2)['state'] == 'done'


def test_faces_of_waiting_photos_share_batches_and_results_stay_apart(restorer, client, tmp_path):
    """Two users at once: each gets the result of the own photos."""
    photos = {f'{shade}.png': encoded(np.clip(astronaut().astype(int) + shade, 0, 255)) for shade in (0, 20, 40)}
    expected = {name: command_file(restorer, content, name, tmp_path) for name, content in photos.items()}
    held, go = threading.Event(), threading.Event()
    network = restorer.network.network
    restore = restorer.network.restore

    def held_restore(faces, **options):
        held.set()
        go.wait(60)
        return restore(faces, **options)

    restorer.network.restore = held_restore
    try:
        first = client.sent(encoded(astronaut()))
        assert held.wait(60)
        before = len(network.batches)
        ids = {}

        def user(name):
            ids[name] = client.sent(photos[name], name)

        users = [threading.Thread(target=user, args=(name,)) for name in photos]
        for one in users:
            one.start()
        for one in users:
            one.join()
        go.set()
        for name, id_ in ids.items():
            client.done(id_)
            assert client.result(id_) == expected[name].read_bytes()
    finally:
        del restorer.network.restore
    client.done(first)
    assert network.batches[before:] == [1, 3]
    answer = client.call('POST', '/api/results.zip', data={'ids': ','.join([*ids.values(), 'nobody'])})
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        assert {name: archive.read(name) for name in archive.namelist()} == {
            name: path.read_bytes() for name, path in expected.items()
        }


def test_cancelling_stops_the_work_and_deletes(client, restorer, photo):
    held, go = threading.Event(), threading.Event()
    restore = restorer.network.restore

    def held_restore(faces, **options):
        held.set()
        go.wait(60)
        return restore(faces, **options)

    restorer.network.restore = held_restore
    try:
        working, waiting = client.sent(photo), client.sent(photo)
        assert held.wait(60)
        folder = client.server.book.folder
        assert {working, waiting} <= {path.name for path in folder.iterdir()}
        passes = len(restorer.network.network.batches)
        for id_ in (waiting, working):
            assert client.call('DELETE', f'/api/jobs/{id_}').status_code == 204
            assert client.call('GET', f'/api/jobs/{id_}').status_code == 404
        go.set()
    finally:
        del restorer.network.restore
    last = client.sent(photo)
    client.done(last)
    assert len(restorer.network.network.batches) == passes + 2  # that which ran, and the last photo's
    assert not {working, waiting} & {path.name for path in folder.iterdir()}


def test_a_face_at_another_fidelity_is_shown_to_the_network_where_it_was_not(tmp_path, photo):
    """A kept face needs no network, but at a fidelity below 0.5 it does: then it is seen once."""
    restorer = fast_restorer(fusion=all_shown())
    with serving(restorer) as client:
        id_ = client.sent(photo)
        assert client.done(id_)['faces'][0]['status'] == 'kept'
        assert restorer.network.network.batches == []
        for weight in (0.0, 1.0, 0.25):
            assert client.change(id_, weight=weight)['state'] == 'done'
        assert restorer.network.network.batches == [1]
        expected = command_file(restorer, photo, 'photo.png', tmp_path, weight=0.25)
        assert client.result(id_) == expected.read_bytes()


def test_photos_are_deleted_after_a_while_and_at_the_end(photo):
    with serving(keep_minutes=1 / 60) as client:
        folder = client.server.book.folder
        id_ = client.sent(photo)
        client.done(id_)
        assert client.call('GET', f'/api/jobs/{id_}').json()['seconds_left'] in (0, 1)
        client.server.book.keep_seconds = 0
        client.server.book.remove_expired()
        assert client.call('GET', f'/api/jobs/{id_}').status_code == 404
        assert not (folder / id_).exists()
        client.server.book.keep_seconds = 60
        client.done(client.sent(photo))
    assert not folder.exists()
