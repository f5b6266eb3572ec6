"""Films made for the tests, and a restorer whose faces are bright discs: no weights, hardly any time."""

from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

from daefr_arch.faces.aligner import face_template
from daefr_arch.faces.detector import DetectedFace
from daefr_arch.restoration.restorer import DAEFRRestorer
from tests.faces.photos import FakeNetwork, nothing_shown

WIDTH, HEIGHT = 96, 72
RADIUS = 14
BRIGHT = 8  # from the centre of a disc, where it is bright
LOSSLESS = {'codec': 'ffv1'}


class DiscDetector:
    """Finds bright discs; `found` counts the frames that it was shown."""

    def __init__(self) -> None:
        self.found = 0

    def detect(self, img: np.ndarray) -> list[DetectedFace]:
        self.found += 1
        count, _, stats, centres = cv2.connectedComponentsWithStats((img.mean(axis=2) > 150).astype(np.uint8))
        faces = []
        for index in range(1, count):
            if stats[index, cv2.CC_STAT_AREA] > 100:
                x, y = centres[index]
                landmarks = (face_template(2 * RADIUS) - RADIUS) + (x, y)
                faces.append(DetectedFace((x - RADIUS, y - RADIUS, x + RADIUS, y + RADIUS), 0.99, landmarks))
        return faces


def disc_restorer(*, upscale: float = 1, brightness: float = -0.4, **options) -> DAEFRRestorer:
    """Restores discs by making them darker."""
    network = FakeNetwork(brightness=brightness)
    return DAEFRRestorer(
        network, upscale=upscale, detector=DiscDetector(), fusion=nothing_shown(), device='cpu', **options
    )


def pictures(count: int, *, size: tuple[int, int] = (WIDTH, HEIGHT), faces: bool = True) -> list[np.ndarray]:
    """BGR frames: a disc with a dark middle that moves to the right over a noisy texture."""
    width, height = size
    texture = np.random.default_rng(0).integers(10, 90, (height // 8, width // 8, 3), dtype=np.uint8)
    frames = []
    for index in range(count):
        noise = np.random.default_rng(index).integers(0, 8, (height, width, 3), dtype=np.uint8)
        frame = cv2.resize(texture, size) + noise
        if faces:
            centre = (width // 3 + index % 24, height // 2)
            cv2.circle(frame, centre, RADIUS, (200, 210, 220), -1, cv2.LINE_AA)
            cv2.circle(frame, centre, 4, (80, 90, 100), -1, cv2.LINE_AA)  # else it would be brought to more contrast
        frames.append(frame)
    return frames


def write_film(
    path: Path,
    count: int = 10,
    *,
    times: Sequence[int] | None = None,
    time_base: Fraction = Fraction(1, 90_000),
    rate: Fraction = Fraction(30_000, 1001),
    codec: str = 'libx264',
    pixel_format: str = 'yuv420p',
    size: tuple[int, int] = (WIDTH, HEIGHT),
    faces: bool = True,
    options: dict[str, str] | None = None,
    rotation: float | None = None,
    flip: bool = False,
    sample_aspect: Fraction | None = None,
    colour: tuple[int, int, int, int] | None = None,
    interlaced: bool = False,
    sound: Sequence[str] = (),
    sound_first: bool = False,
    sound_from: int = 0,
    chapters: bool = False,
    container_format: str | None = None,
) -> Path:
    """Writes a film. times: time stamps in `time_base`; sound: languages of its tracks; colour: range, primaries,
    transfer, matrix; sound_from: samples before the sound begins."""
    with av.open(str(path), 'w', format=container_format) as container:
        container.metadata['title'] = 'A film'
        tracks = [_add_sound(container, language) for language in sound] if sound_first else []
        film = container.add_stream(codec, rate=rate, options=options or ({'crf': '12'} if '264' in codec else {}))
        film.width, film.height, film.pix_fmt = *size, pixel_format
        film.codec_context.time_base = film.time_base = time_base
        film.metadata['language'] = 'eng'
        if sample_aspect is not None:
            film.codec_context.sample_aspect_ratio = sample_aspect
        if colour is not None:
            context = film.codec_context
            context.color_range, context.color_primaries, context.color_trc, context.colorspace = colour
        if rotation is not None:
            film.set_display_rotation(rotation, hflip=flip)
        if interlaced:
            film.codec_context.flags |= int(av.codec.context.Flags.interlaced_dct)
        tracks = tracks or [_add_sound(container, language) for language in sound]
        if chapters:
            container.set_chapters(
                [
                    {
                        'id': n,
                        'start': 100 * n,
                        'end': 100 * (n + 1),
                        'time_base': Fraction(1, 1000),
                        'metadata': {'title': t},
                    }
                    for n, t in enumerate(('first', 'second'))
                ]
            )
        ticks = round(1 / rate / time_base)
        for index, picture in enumerate(pictures(count, size=size, faces=faces)):
            frame = frame_of(picture, pixel_format, colour)
            frame.pts = times[index] if times else index * ticks
            frame.time_base, frame.duration = time_base, ticks
            container.mux(film.encode(frame))
        container.mux(film.encode(None))
        for track in tracks:
            _write_sound(container, track, sound_from)
    return path


def frame_of(picture: np.ndarray, pixel_format: str, colour: tuple[int, int, int, int] | None = None) -> av.VideoFrame:
    """A BGR picture as a frame of this format; colour as in `write_film`."""
    frame = av.VideoFrame.from_ndarray(picture, format='bgr24')
    if pixel_format == 'bgr24':
        return frame
    matrix = 5 if colour is None or colour[3] == 2 else colour[3]
    frame = frame.reformat(format=pixel_format, dst_colorspace=matrix, dst_color_range=colour[0] if colour else 1)
    if colour is not None:
        frame.color_range, frame.color_primaries, frame.color_trc, frame.colorspace = colour
    return frame


def _add_sound(container, language: str):
    track = container.add_stream('aac', rate=48_000)
    track.metadata['language'] = language
    return track


def _write_sound(container, track, begin: int) -> None:
    for index in range(12):
        samples = np.full((2, 1024), 0.01 * index, np.float32)
        frame = av.AudioFrame.from_ndarray(samples, format='fltp', layout='stereo')
        frame.sample_rate, frame.pts, frame.time_base = 48_000, begin + index * 1024, Fraction(1, 48_000)
        container.mux(track.encode(frame))
    container.mux(track.encode(None))


def decoded(path: Path, *, stream: int = 0) -> list[av.VideoFrame]:
    """All frames of a film, which outlive it."""
    with av.open(str(path)) as container:
        return list(container.decode(video=stream))


def times_of(path: Path) -> list[Fraction]:
    """Seconds of the frames' time stamps."""
    return [frame.pts * frame.time_base for frame in decoded(path)]


def packets_of(path: Path, kind: str, index: int = 0) -> list[tuple[Fraction, bytes]]:
    """Seconds and bytes of the packets of a stream that is not decoded."""
    with av.open(str(path)) as container:
        stream = getattr(container.streams, kind)[index]
        return [(packet.pts * packet.time_base, bytes(packet)) for packet in container.demux(stream) if packet.size]


def luma(frame: av.VideoFrame) -> np.ndarray:
    """The luma plane (H, W)."""
    dtype = np.uint16 if frame.format.components[0].bits > 8 else np.uint8
    plane = frame.planes[0]
    return np.frombuffer(plane, dtype).reshape(-1, plane.line_size // dtype().itemsize)[:, : plane.width]


def each_pair(first: Path, second: Path) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The luma of both films, frame by frame."""
    yield from ((luma(a), luma(b)) for a, b in zip(decoded(first), decoded(second), strict=True))
