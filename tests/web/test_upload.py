"""What may be sent and how: limits of bytes, pixels, time and number; wrong forms; the server goes on after each."""

import asyncio
import socket
import struct
import threading
import zlib

import numpy as np
import pytest

from daefr_arch.errors import InputError
from daefr_arch.io.image_contents import image_size
from daefr_arch.web import upload
from daefr_arch.web.upload import TooLargeError, TooSlowError, base_name, receive_form
from tests.web.conftest import encoded, fast_restorer, serving

KIND = 'multipart/form-data; boundary=x'


def part(name, content, file_name=None):
    file = '' if file_name is None else f'; filename="{file_name}"'
    head = f'--x\r\ncontent-disposition: form-data; name="{name}"{file}\r\n\r\n'
    return head.encode() + content + b'\r\n'


def received(tmp_path, body, *, kind=KIND, max_bytes=1000, step=7):
    async def chunks():
        for start in range(0, len(body), step):
            yield body[start : start + step]

    return asyncio.run(receive_form(chunks(), kind, tmp_path / 'photo', max_bytes=max_bytes))


@pytest.mark.parametrize('step', [1, 7, 1000])
def test_a_form_in_pieces(tmp_path, step):
    content = b'--x\r\n--not the end\r\n\x00\xff'
    body = part('weight', b'0.5') + part('file', content, 'Fête 写真.jpg') + part('ext', b'png') + b'--x--\r\n'
    form = received(tmp_path, body, step=step)
    assert form.file_name == 'Fête 写真.jpg'
    assert form.fields == {'weight': '0.5', 'ext': 'png'}
    assert (tmp_path / 'photo').read_bytes() == content


@pytest.mark.parametrize(
    ('body', 'kind', 'words'),
    [
        (b'', KIND, 'ends too early'),
        (part('file', b'a', 'a'), KIND, 'ends too early'),
        (b'--x--\r\n', KIND, "expected a part 'file'"),
        (part('file', b'a') + b'--x--', KIND, "expected a part 'file'"),
        (part('other', b'a', 'a') + b'--x--', KIND, "one file, in a part 'file'"),
        (part('file', b'a', 'a') * 2 + b'--x--', KIND, "one file, in a part 'file'"),
        (part('a', b'a') * 30 + b'--x--', KIND, 'at most 20 parts'),
        (part('a', b'a' * 5000) + b'--x--', KIND, 'a: expected at most 4096 bytes'),
        (b'nothing of this kind', KIND, 'no multipart form'),
        (b'--x\r\na: b\r\n\r\nc\r\n--x--', KIND, 'no name'),
        (b'{}', 'application/json', 'expected multipart/form-data'),
        (b'{}', 'multipart/form-data', 'expected multipart/form-data'),
    ],
)
def test_wrong_forms(tmp_path, body, kind, words):
    with pytest.raises(InputError, match=words):
        received(tmp_path, body, kind=kind, max_bytes=100_000, step=500)


def test_bytes_are_counted_while_they_come(tmp_path):
    body = part('file', bytes(2000), 'a') + b'--x--'
    with pytest.raises(TooLargeError):
        received(tmp_path, body, max_bytes=1000)
    assert (tmp_path / 'photo').stat().st_size < 1000


def test_an_upload_that_stalls_is_given_up(tmp_path, monkeypatch):
    monkeypatch.setattr(upload, 'IDLE_SECONDS', 0.05)

    async def chunks():
        yield part('file', b'a', 'a')
        await asyncio.sleep(60)

    with pytest.raises(TooSlowError):
        asyncio.run(receive_form(chunks(), KIND, tmp_path / 'photo', max_bytes=1000))


@pytest.mark.parametrize(
    ('name', 'expected'),
    [
        ('../../etc/passwd', 'passwd'),
        ('C:\\Users\\me\\a photo.jpg', 'a photo.jpg'),
        ('..', 'photo'),
        ('', 'photo'),
        ('/', 'photo'),
        ('a\x00b\r\nc.png', 'abc.png'),
        ('\u202egpj.exe', 'gpj.exe'),
        ('x' * 300 + '.jpeg', 'x' * 190 + '.jpeg'),
        ('.hidden', 'hidden'),
        ('<b>"x"</b>.png', 'b>.png'),
    ],
)
def test_names_are_only_names(name, expected):
    assert base_name(name) == expected


def bomb(side):
    """A PNG of a few bytes that says it has so many pixels a side."""

    def chunk(kind, data):
        return struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data))

    head = chunk(b'IHDR', struct.pack('>IIBBBBB', side, side, 8, 2, 0, 0, 0))
    return b'\x89PNG\r\n\x1a\n' + head + chunk(b'IDAT', zlib.compress(bytes(1000))) + chunk(b'IEND', b'')


def test_limits_are_said_in_words(photo):
    with serving(max_megabytes=1, max_pixels=300_000) as client:
        for content, status, words in (
            (bomb(50_000), 413, '50000 x 50000 = 2500 million pixels; at most 0.3 million'),
            (bytes(1_500_000), 413, 'larger than 1 MB'),
            (b'', 400, 'empty'),
        ):
            answer = client.send(content)
            assert answer.status_code == status
            assert words in answer.json()['error']
        unsaid = client.call('POST', '/api/restore', data=iter([bytes(700_000)] * 3), headers={'content-type': KIND})
        assert unsaid.status_code in (400, 413)
        for fields, words in (
            ({'weight': 2}, 'weight: '),
            ({'weight': 'nan'}, 'weight: '),
            ({'upscale': 'inf'}, 'upscale: '),
            ({'ext': 'exe'}, 'ext: '),
            ({'model': 'x'}, 'model: unknown'),
            ({'bg_upsampler': 'realesrgan'}, 'start the server with'),
        ):
            answer = client.send(photo, **fields)
            assert answer.status_code == 400
            assert answer.json()['error'].startswith(words) or words in answer.json()['error']
        assert client.done(client.sent(photo, weight='auto'))['state'] == 'done'
        assert [path.name for path in client.server.book.folder.iterdir() if path.is_dir()] != []


def test_wrong_changes_are_refused(client, photo):
    id_ = client.sent(photo)
    client.done(id_)
    for body in (
        b'',
        b'[]',
        b'{"weight": 7}',
        b'{"has_aligned": true}',
        b'\xff',
        b'[' * 100_000,
        b'{"left_out": ["x"]}',
    ):
        assert client.call('PATCH', f'/api/jobs/{id_}', data=body).status_code == 400
    assert client.call('PATCH', f'/api/jobs/{id_}', data=bytes(2 << 20)).status_code == 413
    assert client.call('PATCH', '/api/jobs/none', json={}).status_code == 404
    assert client.done(id_)['version'] == 1


def test_fifty_uploads_at_once():
    """As many as have room are taken, the others are told to come again; every one that was taken is restored."""
    restorer = fast_restorer()
    go = threading.Event()
    find = restorer.find_faces
    restorer.find_faces = lambda *arguments, **options: go.wait(60) and find(*arguments, **options)
    small = encoded(np.full((40, 40, 3), 90, np.uint8))
    with serving(restorer, most_waiting=20) as client:
        answers = []
        threads = [threading.Thread(target=lambda: answers.append(client.send(small))) for _ in range(50)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(answer.status_code for answer in answers) == [202] * 20 + [429] * 30
        assert {answer.headers.get('retry-after') for answer in answers} == {None, '2'}
        go.set()
        for answer in answers:
            if answer.status_code == 202:
                assert client.done(answer.json()['id'])['state'] == 'done'
        assert client.done(client.sent(small))['state'] == 'done'


def test_a_slow_and_a_broken_upload_leave_nothing_and_stop_nobody(client, photo):
    host, port = client.server.address.removeprefix('http://').split(':')
    before = set(client.server.book.folder.iterdir())
    head = (
        f'POST /token-of-tests/api/restore HTTP/1.1\r\nhost: {host}\r\n'
        f'content-type: {KIND}\r\ncontent-length: 900\r\n\r\n'
    )
    slow = [socket.create_connection((host, int(port))) for _ in range(30)]
    for connection in slow:
        connection.sendall(head.encode() + part('file', b'some', 'a'))
    id_ = client.sent(photo)
    assert client.done(id_)['state'] == 'done'
    for connection in slow:
        connection.close()
    deadline = threading.Event()
    for _ in range(200):
        left = {path.name for path in set(client.server.book.folder.iterdir()) - before}
        if left == {id_}:
            break
        deadline.wait(0.05)
    assert left == {id_}


def test_size_is_read_from_the_head(tmp_path):
    (tmp_path / 'bomb').write_bytes(bomb(90_000))
    assert image_size(tmp_path / 'bomb') == (90_000, 90_000)
    for content in (b'', b'text', bomb(9)[:20]):
        (tmp_path / 'bomb').write_bytes(content)
        assert image_size(tmp_path / 'bomb') is None
    assert image_size(tmp_path / 'missing') is None
