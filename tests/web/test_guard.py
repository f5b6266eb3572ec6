"""Host, Origin and token: what does not come from the page or from a program that knows the token is refused."""

import http.client

import pytest

from daefr_arch.web.guard import HEADERS, allowed_hosts, is_loopback
from tests.web.conftest import serving

TOKEN = 'token-of-tests'
BEARER = f'Bearer {TOKEN}'


def ask(client, path, method='GET', **headers):
    """Status and headers of an answer; a header of None is not sent at all."""
    host, port = client.server.address.removeprefix('http://').split(':')
    connection = http.client.HTTPConnection(host, int(port), timeout=30)
    sent = {'host': f'{host}:{port}', **{name.replace('_', '-'): value for name, value in headers.items()}}
    connection.putrequest(method, path, skip_host=True)
    for name, value in sent.items():
        if value is not None:
            connection.putheader(name, value)
    connection.endheaders()
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer


def test_the_token_is_needed_for_everything(client):
    for path in (
        '/',
        '/page.js',
        '/api/limits',
        '/api/openapi.json',
        '/api/jobs/x',
        '/nothing',
        '//',
        '/..',
        f'//{TOKEN}/',
    ):
        assert ask(client, path).status == 401
        assert ask(client, f'/wrong{path}').status == 401
        assert ask(client, path, authorization='Bearer wrong').status == 401
    assert ask(client, f'/{TOKEN}/').status == 200
    assert ask(client, f'/{TOKEN}/api/limits').status == 200
    assert ask(client, '/api/limits', authorization=BEARER).status == 200
    assert ask(client, '/api/limits', authorization=f'Basic {TOKEN}').status == 401
    moved = ask(client, f'/{TOKEN}')
    assert (moved.status, moved.headers['location']) == (307, f'/{TOKEN}/')
    assert ask(client, f'/{TOKEN[:-1]}%C3%A9/').status == 401


@pytest.mark.parametrize(
    'host', ['evil.example', 'evil.example:80', '127.0.0.1.evil.example', '8.8.8.8', '', '[', 'x y']
)
def test_another_host_is_refused(client, host):
    assert ask(client, f'/{TOKEN}/', host=host).status in (400, 421)


def test_names_of_this_machine_are_answered(client):
    for host in ('localhost', 'LOCALHOST:99', '127.0.0.1', '[::1]:8000'):
        assert ask(client, f'/{TOKEN}/', host=host).status == 200


def test_another_origin_is_refused(client):
    own = client.server.address
    assert ask(client, f'/{TOKEN}/api/limits', origin=own).status == 200
    for origin in ('http://evil.example', 'null', own + '0', 'http://127.0.0.1'):
        for method in ('GET', 'POST', 'DELETE'):
            assert ask(client, f'/{TOKEN}/api/restore', method, origin=origin).status == 403
    assert ask(client, f'/{TOKEN}/api/limits', sec_fetch_site='cross-site', sec_fetch_mode='no-cors').status == 403
    assert ask(client, f'/{TOKEN}/', sec_fetch_site='cross-site', sec_fetch_mode='navigate').status == 200


def test_every_answer_keeps_the_page_to_itself(client):
    assert HEADERS['content-security-policy'].startswith("default-src 'self';")
    for path in ('/', f'/{TOKEN}/', f'/{TOKEN}/page.js', f'/{TOKEN}/api/limits', f'/{TOKEN}/api/jobs/none'):
        headers = ask(client, path).headers
        assert {name: headers[name] for name in HEADERS} == HEADERS


def test_no_path_from_outside_is_opened(client):
    for path in (
        '../../etc/passwd',
        '..%2f..%2fetc%2fpasswd',
        '%2e%2e/app.py',
        'page/page.html',
        '__init__.py',
        '.daefr.lock',
    ):
        for prefix in ('', 'api/', 'api/jobs/'):
            assert ask(client, f'/{TOKEN}/{prefix}{path}').status in (404, 405)


def test_the_api_alone_has_no_page():
    with serving(api_only=True) as client:
        assert client.call('GET', '/').status_code == 404
        assert client.call('GET', '/page.js').status_code == 404
        assert client.call('GET', '/api/limits').status_code == 200


def test_which_names_a_server_has():
    assert is_loopback('127.0.0.1')
    assert is_loopback('localhost')
    assert is_loopback('::1')
    assert not is_loopback('0.0.0.0')
    assert allowed_hosts('127.0.0.1') == {'127.0.0.1', 'localhost', '::1'}
    assert {'192.168.7.7', 'localhost'} < allowed_hosts('192.168.7.7')
