"""Films whose truth is known: photos that move, shake and talk, made worse frame by frame."""

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from io import BytesIO

import av
import cv2
import numpy as np

from tests.faces.photos import astronaut, grace_hopper

SIDE = 320  # of a frame, in pixels
RATE = 25


@dataclass(frozen=True)
class Clip:
    """truth and film: frames (SIDE, SIDE, 3) BGR uint8, as they were and as they are to be restored."""

    name: str
    truth: list[np.ndarray]
    film: list[np.ndarray]


def clips(frames: int = 32) -> list[Clip]:
    """A pan with zoom and turn, small pictures in JPEG; a hand-held camera, soft and noisy; a talking face, H.264."""
    return [
        _clip('pan', [_pan(index, frames) for index in range(frames)], _small_jpeg),
        _clip('hand-held', [_hand_held(index) for index in range(frames)], _soft_and_noisy),
        Clip(
            'talking', talking := [_talking(index) for index in range(frames)], _low_rate([_halved(f) for f in talking])
        ),
    ]


def _clip(name: str, truth: list[np.ndarray], worse: Callable[[np.ndarray, np.random.Generator], np.ndarray]) -> Clip:
    return Clip(name, truth, [worse(frame, np.random.default_rng(index)) for index, frame in enumerate(truth)])


def _view(photo: np.ndarray, centre: tuple[float, float], scale: float, degrees: float) -> np.ndarray:
    """The photo around `centre`, enlarged and turned."""
    matrix = cv2.getRotationMatrix2D(centre, degrees, scale)
    matrix[:, 2] += SIDE / 2 - np.array(centre)
    return cv2.warpAffine(photo, matrix, (SIDE, SIDE), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT101)


def _pan(index: int, frames: int) -> np.ndarray:
    t = index / frames
    return _view(astronaut(), (200 + 60 * t, 150 + 15 * np.sin(5 * t)), 1.0 + 0.35 * t, 8 * np.sin(4 * t))


def _hand_held(index: int) -> np.ndarray:
    shake = [
        sum(np.sin(index * rate + phase) * size for rate, phase, size in parts)
        for parts in (
            ((0.31, 0.2, 5), (0.83, 1.0, 2.0), (2.1, 0.4, 0.7)),
            ((0.27, 1.9, 4), (0.91, 0.1, 1.6), (1.9, 2.0, 0.7)),
            ((0.22, 0.5, 1.2), (0.7, 0.9, 0.5)),
        )
    ]
    return _view(grace_hopper(), (262 + shake[0], 190 + shake[1]), 0.8, shake[2])


def _talking(index: int) -> np.ndarray:
    """The mouth opens and closes, the eyes narrow, the head sways."""
    photo = astronaut()
    y, x = np.mgrid[: photo.shape[0], : photo.shape[1]].astype(np.float32)
    mouth = np.exp(-(((x - 223) / 26) ** 2) - ((y - 143) / 14) ** 2)
    eyes = np.exp(-(((x - 226) / 34) ** 2) - ((y - 101) / 8) ** 2)
    opened = 4 * np.sin(index * 0.7) * mouth * np.tanh((y - 141) / 6)
    narrowed = 1.5 * np.sin(index * 0.35) * eyes * np.tanh((y - 101) / 4)
    moved = cv2.remap(
        photo, x, (y - opened - narrowed).astype(np.float32), cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT101
    )
    return _view(moved, (224 + 6 * np.sin(index * 0.2), 125 + 2 * np.sin(index * 0.37)), 1.25, 3 * np.sin(index * 0.15))


def _small_jpeg(frame: np.ndarray, random: np.random.Generator) -> np.ndarray:
    small = cv2.resize(cv2.GaussianBlur(frame, (0, 0), 1.2), (SIDE // 2, SIDE // 2), interpolation=cv2.INTER_AREA)
    noisy = np.clip(small + random.normal(0, 3, small.shape), 0, 255).astype(np.uint8)
    decoded = cv2.imdecode(cv2.imencode('.jpg', noisy, (cv2.IMWRITE_JPEG_QUALITY, 50))[1], cv2.IMREAD_COLOR)
    return cv2.resize(decoded, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)


def _soft_and_noisy(frame: np.ndarray, random: np.random.Generator) -> np.ndarray:
    soft = cv2.GaussianBlur(frame, (0, 0), 2.5)
    return np.clip(soft + random.normal(0, 8, soft.shape), 0, 255).astype(np.uint8)


def _halved(frame: np.ndarray) -> np.ndarray:
    return cv2.resize(frame, (SIDE // 2, SIDE // 2), interpolation=cv2.INTER_AREA)


def _low_rate(frames: list[np.ndarray]) -> list[np.ndarray]:
    """Frames of half the size in H.264 of little quality, enlarged again."""
    stream = BytesIO()
    with av.open(stream, 'w', format='mp4') as container:
        film = container.add_stream('libx264', rate=Fraction(RATE), options={'crf': '33', 'threads': '1'})
        film.width = film.height = SIDE // 2
        film.pix_fmt = 'yuv420p'
        for frame in frames:
            container.mux(film.encode(av.VideoFrame.from_ndarray(frame, format='bgr24')))
        container.mux(film.encode(None))
    stream.seek(0)
    with av.open(stream) as container:
        decoded = [frame.to_ndarray(format='bgr24') for frame in container.decode(video=0)]
    return [cv2.resize(frame, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC) for frame in decoded]
