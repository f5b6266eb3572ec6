"""Downloads against a server on this machine that resumes, breaks off and announces hashes as real ones do."""

import hashlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml

from daefr_arch.checkpoints import downloads
from daefr_arch.commands.cli import main
from daefr_arch.commands.exit_codes import FAILED, OK
from daefr_arch.errors import WeightsError

CONTENT = bytes(range(256)) * 5000
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class _Handler(BaseHTTPRequestHandler):
    requests: list[str | None]
    break_after: int | None
    announced: str | None

    def do_GET(self):
        asked = self.headers.get('Range')
        type(self).requests.append(asked)
        start = int(asked.removeprefix('bytes=').removesuffix('-')) if asked else 0
        if start >= len(CONTENT):
            self.send_error(416)
            return
        self.send_response(206 if asked else 200)
        self.send_header('Content-Length', str(len(CONTENT) - start))
        if self.announced:
            self.send_header('X-Linked-ETag', f'"{self.announced}"')
        self.end_headers()
        self.wfile.write(CONTENT[start : self.break_after])

    def log_message(self, *args):
        pass


@pytest.fixture
def server(tmp_path, monkeypatch):
    handler = type('Handler', (_Handler,), {'requests': [], 'break_after': None, 'announced': None})
    with ThreadingHTTPServer(('127.0.0.1', 0), handler) as httpd:
        threading.Thread(target=httpd.serve_forever, daemon=True).start()
        folder = tmp_path / 'weights'
        folder.mkdir()
        entry = {
            'file': 'net.bin',
            'url': f'http://127.0.0.1:{httpd.server_port}/net.bin',
            'sha256': SHA256,
            'size': len(CONTENT),
            'licence': 'test',
            'what': 'test file',
        }
        unhashed = entry | {'file': 'unhashed.bin', 'sha256': None}
        wrong = entry | {'file': 'wrong.bin', 'sha256': '0' * 64}
        (folder / 'manifest.yml').write_text(yaml.safe_dump({'net': entry, 'unhashed': unhashed, 'wrong': wrong}))
        monkeypatch.setattr(downloads, 'weights_folder', lambda: folder)
        monkeypatch.setenv('DAEFR_HOME', str(tmp_path / 'home'))
        yield handler
        httpd.shutdown()


def test_download_once_then_from_the_cache(server, tmp_path):
    path = downloads.fetch('net')
    assert path == tmp_path / 'home' / 'net.bin'
    assert path.read_bytes() == CONTENT
    assert downloads.fetch('net', offline=True) == path
    assert server.requests == [None]


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


def test_a_part_that_was_complete_is_only_verified(server, tmp_path):
    (tmp_path / 'home').mkdir()
    (tmp_path / 'home' / 'net.bin.part').write_bytes(CONTENT)
    assert downloads.fetch('net').read_bytes() == CONTENT


def test_a_wrong_hash_is_an_error_and_leaves_nothing(server, tmp_path):
    with pytest.raises(WeightsError, match=f'expected sha256 {"0" * 64}, got {SHA256}'):
        downloads.fetch('wrong')
    assert list((tmp_path / 'home').iterdir()) == []


def test_the_announced_hash_counts_where_the_manifest_has_none(server):
    server.announced = '1' * 64
    with pytest.raises(WeightsError, match='1' * 64):
        downloads.fetch('unhashed')
    server.announced = SHA256
    assert downloads.fetch('unhashed').read_bytes() == CONTENT


def test_a_file_without_address_is_asked_for():
    with pytest.raises(WeightsError, match='put the file at'):
        downloads.fetch('inception_ffhq_512')


def test_the_first_digits_of_a_hash_count(server, tmp_path):
    url = yaml.safe_load((tmp_path / 'weights' / 'manifest.yml').read_text())['net']['url']
    downloads.download(url, tmp_path / 'first.bin', sha256=SHA256[:8])
    with pytest.raises(WeightsError, match='expected sha256 00000000'):
        downloads.download(url, tmp_path / 'second.bin', sha256='00000000')
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
