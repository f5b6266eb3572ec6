"""`daefr web` from its start to its end by Ctrl-C, as its user sees it."""

import os
import re
import signal
import subprocess
import sys

import pytest
import requests

from daefr_arch.commands import cli, exit_codes, web
from daefr_arch.commands.restorer_arguments import build_restorer
from daefr_arch.errors import UsageError
from tests.faces.photos import astronaut
from tests.web.conftest import Client, encoded, serving


def test_arguments():
    args = cli.build_parser('web').parse_args(['web'])
    assert (args.host, args.port, args.token, args.keep) == ('127.0.0.1', None, None, 60)
    for wrong in (['--token', 'short'], ['--token', 'with spaces in it'], ['--port', '99999'], ['--keep', '0']):
        with pytest.raises(SystemExit) as end:
            cli.build_parser('web').parse_args(['web', *wrong])
        assert end.value.code == exit_codes.USAGE


def test_what_is_missing_is_said(monkeypatch):
    monkeypatch.setattr('importlib.util.find_spec', lambda name: None)
    with pytest.raises(UsageError, match=re.escape("pip install 'daefr_arch[web]'")):
        web.run(cli.build_parser('web').parse_args(['web', '--port', '0']))


def test_a_browser_is_only_opened_where_there_is_a_screen(monkeypatch):
    monkeypatch.setattr(sys, 'platform', 'linux')
    for name in ('DISPLAY', 'WAYLAND_DISPLAY'):
        monkeypatch.delenv(name, raising=False)
    assert not web._has_screen()
    monkeypatch.setenv('WAYLAND_DISPLAY', 'wayland-0')
    assert web._has_screen()


def test_from_start_to_end(tmp_path):
    """It prints its address, restores a photo, and Ctrl-C ends it and leaves nothing."""
    environment = os.environ | {'TMPDIR': str(tmp_path), 'PYTHONUNBUFFERED': '1'}
    command = [sys.executable, '-m', 'daefr_cli', 'web', '--offline', '--device', 'cpu', '--port', '0', '--no_browser']
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        url = re.fullmatch(r'open in a browser: (http://127\.0\.0\.1:\d+/([\w-]{20,})/)\n', process.stdout.readline())
        assert url, process.communicate()[1]
        assert 'deleted when this ends' in process.stdout.readline()
        assert requests.get(url[1], timeout=60).text.startswith('<!DOCTYPE html>')
        check_photo(url)
        assert [path.name for path in tmp_path.glob('daefr-web-*')]
        process.send_signal(signal.SIGINT)
        out, error = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == exit_codes.OK, error
    assert out == 'stopped; all photos are deleted\n'
    assert list(tmp_path.glob('daefr-web-*')) == []


def check_photo(url):
    class Server:
        address, token = url[1].removesuffix(f'/{url[2]}/'), url[2]

    client = Client(Server)
    id_ = client.sent(encoded(astronaut()[:256, 96:352], '.jpg'), 'photo.jpg')
    job = client.done(id_)
    assert (len(job['faces']), job['result']['name']) == (1, 'photo.jpg')
    assert client.result(id_).startswith(b'\xff\xd8')


def test_the_result_is_the_commands_file(tmp_path):
    """Of the default model, to the byte."""
    (tmp_path / 'photo.jpg').write_bytes(encoded(astronaut()[:256, 96:352], '.jpg'))
    words = ['-i', str(tmp_path / 'photo.jpg'), '-o', str(tmp_path / 'out'), '--offline', '--device', 'cpu']
    assert cli.main(['restore', *words]) == exit_codes.OK
    args = cli.build_parser('web').parse_args(['web', '--offline', '--device', 'cpu'])
    with serving(build_restorer(args)) as client:
        id_ = client.sent((tmp_path / 'photo.jpg').read_bytes(), 'photo.jpg')
        assert len(client.done(id_)['faces']) == 1
        assert client.result(id_) == (tmp_path / 'out/final_results/photo.jpg').read_bytes()
