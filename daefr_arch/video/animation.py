"""Animated GIF, WebP and PNG, which Pillow reads more of than FFmpeg does."""

import logging
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from daefr_arch.errors import InputError
from daefr_arch.video.colour import BT709, LIMITED, SRGB, Colour
from daefr_arch.video.library import load_av
from daefr_arch.video.recognition import ANIMATIONS
from daefr_arch.video.video_info import VideoInfo

if TYPE_CHECKING:
    import av

TIME_BASE = Fraction(1, 1000)
SHORTEST = 20  # ms; what is said to be shorter is shown for SLOW, as browsers do
SLOW = 100
BACKGROUND = (255, 255, 255)

_logger = logging.getLogger(__name__)


def info_of(path: Path) -> VideoInfo:
    """What is known of an animation. Raises InputError where it is damaged."""
    with _opened(path) as image:
        count = getattr(image, 'n_frames', 1)
        rate = Fraction(1000, _duration(image))
        colour = Colour(LIMITED, BT709, SRGB, BT709)
        return VideoInfo(path, image.width, image.height, 'rgb24', TIME_BASE, rate, Fraction(1), colour, expected=count)


def frames_of(path: Path) -> Iterator['av.VideoFrame']:
    """Its pictures, each whole, on white where they are transparent."""
    av = load_av()
    pts = 0
    with _opened(path) as image:
        for index in range(getattr(image, 'n_frames', 1)):
            try:
                image.seek(index)
                image.load()
            except (OSError, EOFError, SyntaxError, ValueError) as error:
                _logger.warning('%s: damaged from picture %d on: %s', path.name, index, error)
                return
            frame = av.VideoFrame.from_ndarray(_on_white(image), format='rgb24')
            frame.pts, frame.time_base, frame.duration = pts, TIME_BASE, _duration(image)
            pts += frame.duration
            yield frame


def _opened(path: Path) -> Image.Image:
    try:
        return Image.open(path, formats=ANIMATIONS)
    except (OSError, SyntaxError, ValueError) as error:
        raise InputError(f'{path}: truncated, damaged or unsupported animation: {error}') from error


def _duration(image: Image.Image) -> int:
    """Milliseconds that the current picture is shown."""
    duration = round(image.info.get('duration') or SLOW)
    return duration if duration >= SHORTEST else SLOW


def _on_white(image: Image.Image) -> np.ndarray:
    """RGB (H, W, 3) uint8."""
    if not image.has_transparency_data:
        return np.asarray(image.convert('RGB'))
    canvas = Image.new('RGBA', image.size, (*BACKGROUND, 255))
    canvas.alpha_composite(image.convert('RGBA'))
    return np.asarray(canvas.convert('RGB'))
