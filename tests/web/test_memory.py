"""Memory does not grow with the number of photos: what is kept of them lies on disk."""

import gc

import pytest

from daefr_arch.faces.detector import DetectedFace
from tests.faces.photos import ASTRONAUT_LANDMARKS, astronaut
from tests.web.conftest import encoded, fast_restorer, serving

PHOTOS, WARM_UP = 200, 50
GROWTH = 30e6  # bytes; if only the crops and results of 150 photos stayed, they would be 100 MB


class CornerDetector:
    """The astronaut's face in a part of her photo."""

    def detect(self, img):
        return [DetectedFace((84.0, 60.0, 174.0, 180.0), 0.99, ASTRONAUT_LANDMARKS - (96, 0))]


def _resident() -> float | None:
    """Bytes of memory of this process; None where the system does not say."""
    try:
        with open('/proc/self/statm') as file:
            return int(file.read().split()[1]) * 4096
    except OSError:
        return None


def test_two_hundred_photos():
    if _resident() is None:
        pytest.skip('the memory of a process is read from /proc, which only Linux has')
    photo = encoded(astronaut()[:256, 96:352], '.jpg')
    restorer = fast_restorer(detector=CornerDetector())
    with serving(restorer, most_waiting=PHOTOS) as client:
        before = 0.0
        for start in range(0, PHOTOS, WARM_UP):
            ids = [client.sent(photo, 'photo.jpg', upscale=1) for _ in range(WARM_UP)]
            assert {client.done(id_)['state'] for id_ in ids} == {'done'}
            gc.collect()
            if start == 0:
                before = _resident()
        assert _resident() - before < GROWTH
        assert len(client.server.book.get(ids)) == WARM_UP
