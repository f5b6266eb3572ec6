"""A server of this process whose network brightens faces, and what talks to it."""

import time
from contextlib import contextmanager

import cv2
import numpy as np
import pytest
import requests

from daefr_arch.faces.detector import DetectedFace
from daefr_arch.restoration.restorer import DAEFRRestorer
from daefr_arch.web.server import ServerOptions, listen, running_server
from tests.faces.photos import ASTRONAUT_LANDMARKS, FakeNetwork, astronaut, nothing_shown

PATIENCE = 60  # seconds for what takes a fraction of one


class FixedDetector:
    """Finds the astronaut's face wherever the middle of a photo is hers, at once."""

    def detect(self, img):
        if img.shape[:2] != (512, 512) or img[256, 256].max() < 10:
            return []
        return [DetectedFace((180.0, 60.0, 270.0, 180.0), 0.99, ASTRONAUT_LANDMARKS)]


def fast_restorer(**options):
    network = FakeNetwork(brightness=0.5)
    return DAEFRRestorer(
        network,
        device='cpu',
        precision='fp32',
        fusion=options.pop('fusion', None) or nothing_shown(),
        detector=options.pop('detector', None) or FixedDetector(),
        offline=True,
        **options,
    )


class Client:
    """Calls the API as a program does."""

    def __init__(self, server):
        self.server = server
        self.session = requests.Session()
        self.session.headers['authorization'] = f'Bearer {server.token}'

    def call(self, method, path, **options):
        return self.session.request(method, self.server.address + path, timeout=PATIENCE, **options)

    def send(self, content, name='photo.png', **fields):
        return self.call('POST', '/api/restore', files={'file': (name, content)}, data=fields)

    def sent(self, content, name='photo.png', **fields):
        answer = self.send(content, name, **fields)
        assert answer.status_code == 202, answer.text
        return answer.json()['id']

    def done(self, id_):
        """The job once it is at rest."""
        return self.until(id_, lambda job: job['state'] in ('done', 'failed'))

    def until(self, id_, holds):
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            job = self.call('GET', f'/api/jobs/{id_}').json()
            if holds(job):
                return job
            time.sleep(0.01)
        raise AssertionError(f'still {job}')

    def change(self, id_, **settings):
        answer = self.call('PATCH', f'/api/jobs/{id_}', json=settings)
        assert answer.status_code == 200, answer.text
        return self.done(id_)

    def result(self, id_):
        answer = self.call('GET', f'/api/jobs/{id_}/result')
        assert answer.status_code == 200, answer.text
        return answer.content


@contextmanager
def serving(restorer=None, **options):
    """A server at a free port, and a client of it."""
    options.setdefault('token', 'token-of-tests')
    with running_server(restorer or fast_restorer(), listen('127.0.0.1', 0), ServerOptions(**options)) as server:
        yield Client(server)


@pytest.fixture(scope='package')
def restorer():
    return fast_restorer()


@pytest.fixture(scope='package')
def client(restorer):
    with serving(restorer) as client:
        yield client


def encoded(pixels, extension='.png'):
    return cv2.imencode(extension, np.ascontiguousarray(pixels))[1].tobytes()


@pytest.fixture(scope='package')
def photo():
    """The bytes of a photo with one face."""
    return encoded(astronaut())
