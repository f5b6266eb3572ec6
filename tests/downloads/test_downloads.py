"""Downloads against a server on this machine that resumes, breaks off, lies and never ends, as real ones do."""

import gzip
import hashlib
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml

from daefr_arch.commands.cli import main
from daefr_arch.commands.exit_codes import FAILED, OK
from daefr_arch.downloads import transfer
from daefr_arch.downloads import weight_file as downloads
from daefr_arch.errors import WeightsError

CONTENT = bytes(range(256)) * 5000
SHA256 = hashlib.sha256(CONTENT).hexdigest()
PAGE = b'\n<!DOCTYPE html><html><body>Sign in to go on</body></html>'


class _Handler(BaseHTTPRequestHandler):
    """Serves `content`; class attributes say what is odd about it.

    `headers_sent` replace the ones that are right, None leaves one out; `body` writes something else.
    """

    requests: list[str | None]
    content: bytes
    break_after: int | None
    headers_sent: dict[str, str | None]
    body: Callable | None
    resumes: bool
    missing: bool

    def do_GET(self):
        asked = self.headers.get('Range') if self.resumes else None
        type(self).requests.append(self.headers.get('Range'))
        start = int(asked.removeprefix('bytes=').removesuffix('-')) if asked else 0
        if self.missing or start >= len(self.content):
            self.send_error(404 if self.missing else 416)
            return
        self.send_response(206 if asked else 200)
        headers = {'Content-Length': str(len(self.content) - start)}
        if asked:
            headers['Content-Range'] = f'bytes {start}-{len(self.content) - 1}/{len(self.content)}'
        for key, value in {**headers, **self.headers_sent}.items():
            if value is not None:
                self.send_header(key, value)
        self.end_headers()
        if self.body:
            self.body(self.wfile)
        else:
            self.wfile.write(self.content[start : self.break_after])

    def log_message(self, *args):
        pass


def _entries(url):
    entry = {
        'file': 'net.bin',
        'url': url,
        'sha256': SHA256,
        'size': len(CONTENT),
        'licence': 'test',
        'what': 'test file',
    }
    unhashed = {'file': 'unhashed.bin', 'sha256': None, 'size': None, 'at_most': 2 * len(CONTENT)}
    return {
        'net': entry,
        'sized': entry | {'file': 'sized.bin', 'sha256': None},
        'unhashed': entry | unhashed,
        'wrong': entry | {'file': 'wrong.bin', 'sha256': '0' * 64},
    }


@pytest.fixture
def server(tmp_path, monkeypatch):
    start = {'requests': [], 'content': CONTENT, 'break_after': None, 'headers_sent': {}, 'body': None}
    handler = type('Handler', (_Handler,), {**start, 'resumes': True, 'missing': False})
    with ThreadingHTTPServer(('127.0.0.1', 0), handler) as httpd:
        threading.Thread(target=httpd.serve_forever, args=(0.01,), daemon=True).start()
        folder = tmp_path / 'weights'
        folder.mkdir()
        handler.url = f'http://127.0.0.1:{httpd.server_port}/net.bin'
        (folder / 'manifest.yml').write_text(yaml.safe_dump(_entries(handler.url)))
        monkeypatch.setattr(downloads, 'weights_folder', lambda: folder)
        monkeypatch.setenv('DAEFR_HOME', str(tmp_path / 'home'))
        yield handler
        httpd.shutdown()


@pytest.fixture
def home(tmp_path):
    folder = tmp_path / 'home'
    folder.mkdir()
    return folder


def test_download_once_then_from_the_cache(server, tmp_path):
    path = downloads.fetch('net')
    assert path == tmp_path / 'home' / 'net.bin'
    assert path.read_bytes() == CONTENT
    assert downloads.fetch('net', offline=True) == path
    assert server.requests == [None]
    assert [file.name for file in path.parent.iterdir()] == ['net.bin']


def test_an_interrupted_download_goes_on(server, tmp_path):
    server.break_after = 100_000
    with pytest.raises(WeightsError, match=r'could not download .* by hand'):
        downloads.fetch('net')
    part = tmp_path / 'home' / 'net.bin.part'
    received = part.stat().st_size
    assert 0 < received <= 100_000
    assert not (tmp_path / 'home' / 'net.bin').exists()
    server.break_after = None
    assert downloads.fetch('net').read_bytes() == CONTENT
    assert server.requests == [None, f'bytes={received}-']
    assert not part.exists()


def test_a_part_that_was_complete_is_only_verified(server, home):
    (home / 'net.bin.part').write_bytes(CONTENT)
    assert downloads.fetch('net').read_bytes() == CONTENT
    assert server.requests == [f'bytes={len(CONTENT)}-']


@pytest.mark.parametrize('left', [b'of an earlier version', CONTENT[:-1] + b'?', CONTENT + b'too long'])
@pytest.mark.parametrize('resumes', [True, False])
@pytest.mark.parametrize('name', ['net', 'sized', 'unhashed'])
def test_what_is_left_of_another_file_is_never_kept(server, home, left, resumes, name):
    server.resumes = resumes
    file = _entries('')[name]['file']
    (home / f'{file}.part').write_bytes(left)
    assert downloads.fetch(name).read_bytes() == CONTENT
    assert [path.name for path in home.iterdir()] == [file]


def test_a_wrong_hash_is_an_error_and_leaves_nothing(server, tmp_path):
    with pytest.raises(WeightsError, match=f'expected sha256 {"0" * 64}, got {SHA256}'):
        downloads.fetch('wrong')
    assert list((tmp_path / 'home').iterdir()) == []


def test_the_announced_hash_counts_where_the_manifest_has_none(server):
    server.headers_sent = {'X-Linked-ETag': f'"{"1" * 64}"'}
    with pytest.raises(WeightsError, match='1' * 64):
        downloads.fetch('unhashed')
    server.headers_sent = {'X-Linked-ETag': f'"{SHA256}"'}
    assert downloads.fetch('unhashed').read_bytes() == CONTENT


def _endless(stream):
    for _ in range(10_000):  # 655 MB
        stream.write(bytes(1 << 16))


def _chunks(*parts, end=b'0\r\n\r\n'):
    def write(stream):
        for part in parts:
            stream.write(b'%x\r\n%s\r\n' % (len(part), part))
        stream.write(end)

    return write


UNKNOWN_LENGTH = {'Content-Length': None}
CHUNKED = {**UNKNOWN_LENGTH, 'Transfer-Encoding': 'chunked'}
HALF = CONTENT[: len(CONTENT) // 2]
# name in the manifest, what the server sends, headers, what the error says
WRONG_ANSWERS = {
    'endless, size known': ('net', _endless, UNKNOWN_LENGTH, f'expected {len(CONTENT)} bytes'),
    'endless, size bounded': ('unhashed', _endless, {'Content-Length': '655360000'}, f'at most {2 * len(CONTENT)}'),
    'endless chunks': ('unhashed', _chunks(*[bytes(1 << 16)] * 100), CHUNKED, f'at most {2 * len(CONTENT)}'),
    'cut, neither length nor hash': ('unhashed', lambda s: s.write(HALF), UNKNOWN_LENGTH, 'neither length nor hash'),
    'cut, size known': ('sized', lambda s: s.write(HALF), UNKNOWN_LENGTH, f'after {len(HALF)} of {len(CONTENT)} bytes'),
    'cut, length known': ('unhashed', lambda s: s.write(HALF), {}, 'IncompleteRead|connection broke'),
    'cut chunks': ('unhashed', _chunks(HALF, end=b''), CHUNKED, 'could not download'),
    'page': ('net', lambda s: s.write(PAGE), {'Content-Length': str(len(PAGE))}, 'web page'),
    'page, size unknown': ('unhashed', lambda s: s.write(PAGE), {'Content-Length': str(len(PAGE))}, 'web page'),
    'page in chunks': ('unhashed', _chunks(*(PAGE[i : i + 1] for i in range(len(PAGE)))), CHUNKED, 'web page'),
    'nothing': ('unhashed', lambda s: None, {'Content-Length': '0'}, 'empty'),
    'length abc': ('net', None, {'Content-Length': 'abc'}, "Content-Length, the server states 'abc'"),
    'negative length': ('net', None, {'Content-Length': '-5'}, "Content-Length, the server states '-5'"),
    'two lengths': ('net', None, {'Content-Length': '5, 6'}, 'Content-Length'),
    'another length': ('net', None, {'Content-Length': '99999999'}, 'expected 1280000 bytes, 99999999 came'),
    'no gzip': ('net', None, {'Content-Encoding': 'gzip'}, 'could not download'),
}


@pytest.mark.parametrize('case', WRONG_ANSWERS)
def test_a_wrong_answer_is_an_error_in_words_and_never_the_file(server, tmp_path, case):
    name, server.body, server.headers_sent, message = WRONG_ANSWERS[case]
    server.body = server.body and staticmethod(server.body)
    with pytest.raises(WeightsError, match=message) as error:
        downloads.fetch(name)
    assert '\n' not in str(error.value)
    file = _entries('')[name]['file']
    assert {path.name for path in (tmp_path / 'home').iterdir()} <= {f'{file}.part'}
    server.body, server.headers_sent = None, {}
    assert downloads.fetch(name).read_bytes() == CONTENT  # nor in the way of it


@pytest.mark.parametrize('name', ['net', 'sized', 'unhashed'])
def test_a_body_packed_for_the_way_is_accepted(server, name):
    packed = gzip.compress(CONTENT)
    server.body = staticmethod(lambda stream: stream.write(packed))
    server.headers_sent = {'Content-Encoding': 'gzip', 'Content-Length': str(len(packed))}
    assert downloads.fetch(name).read_bytes() == CONTENT


def test_a_missing_file_is_an_error_and_keeps_the_part(server, home):
    (home / 'net.bin.part').write_bytes(HALF)
    server.missing = True
    with pytest.raises(WeightsError, match='404'):
        downloads.fetch('net')
    server.missing = False
    assert downloads.fetch('net').read_bytes() == CONTENT


def test_two_processes_download_once(server, home):
    fetched = []
    threads = [threading.Thread(target=lambda: fetched.append(downloads.fetch('net'))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [path.read_bytes() == CONTENT for path in fetched] == [True] * 3
    assert server.requests == [None]


def test_a_file_without_address_is_asked_for():
    with pytest.raises(WeightsError, match='put the file at'):
        downloads.fetch('inception_ffhq_512')


def test_the_first_digits_of_a_hash_count(server, tmp_path):
    transfer.download(server.url, tmp_path / 'first.bin', sha256=SHA256[:8])
    with pytest.raises(WeightsError, match='expected sha256 00000000'):
        transfer.download(server.url, tmp_path / 'second.bin', sha256='00000000')
    assert not (tmp_path / 'second.bin').exists()


def test_offline_never_asks_the_network(server, tmp_path):
    with pytest.raises(WeightsError, match=str(Path('home') / 'net.bin')):
        downloads.fetch('net', offline=True)
    assert server.requests == []


def test_download_command(server, caplog):
    caplog.set_level('INFO')
    assert main(['download']) == OK
    assert 'not at hand' in caplog.text
    assert main(['download', 'net']) == OK
    assert main(['download', 'nothing']) == FAILED
    assert 'expected one of net' in caplog.text


def test_every_entry_of_the_shipped_manifest_is_complete():
    entries = downloads.manifest()
    assert downloads.find('daefr-lite') == downloads.weights_folder() / entries['daefr-lite'].file
    for entry in entries.values():
        assert entry.licence
        assert entry.what
        assert entry.url is None or entry.url.startswith('https://')
        assert (entry.size is None) is (entry.at_most is not None)
        assert entry.sha256 or entry.name == 'daefr'  # its publisher states none, its server does


@pytest.mark.parametrize('name', ['daefr-lite', 'daefr-evidence', 'daefr-harmoniser', 'retinaface_mobile0.25_onnx'])
def test_what_is_shipped_is_what_the_manifest_says(name):
    entry = downloads.manifest()[name]
    content = (downloads.weights_folder() / entry.file).read_bytes()
    assert (len(content), hashlib.sha256(content).hexdigest()) == (entry.size, entry.sha256)
