"""What happens to prints and to scans of them: grain, halftone dots, cracks, folds, dust, stains.

Images are (H, W, 3) float32, range [0, 1], BGR; every function returns a new one. Lengths are in pixels. Shapes and
noise follow from `seed` alone.
"""

import math

import cv2
import numpy as np

SHIFT = 4  # OpenCV's fixed-point coordinates: sixteenths of a pixel


def add_grain(image: np.ndarray, *, sigma: float, size: float, colour: float, seed: int) -> np.ndarray:
    """Grain of film or of a scanner: strongest in the midtones.

    Args:
        image: see the module.
        sigma: standard deviation of the grain in the midtones, of 255.
        size: of a grain, the sigma of a Gaussian; below 0.3 the grain is white noise.
        colour: 0 for grey grain, 1 for channels that are independent of each other.
        seed: of the grain.
    """
    height, width = image.shape[:2]
    rng = np.random.default_rng(seed)
    noise = rng.standard_normal((height, width, 3), dtype=np.float32)
    noise = colour * noise + math.sqrt(1 - colour**2) * noise[..., :1]
    if size >= 0.3:
        noise = np.asarray(cv2.GaussianBlur(noise, (0, 0), size), np.float32)
        noise /= noise.std()
    luma = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)[..., None]
    return np.clip(image + noise * (0.4 + 2.4 * luma * (1 - luma)) * np.float32(sigma / 255), 0, 1)


def halftone(image: np.ndarray, *, period: float, angle: float, softness: float, strength: float) -> np.ndarray:
    """Printed dots: a screen of `period` at `angle` (radians), another angle for each channel that has its own values.

    `softness`: of the dots' edges, in units of the image's range; `strength`: 1 leaves the dots alone.
    """
    height, width = image.shape[:2]
    y, x = np.mgrid[:height, :width].astype(np.float32)
    grey = np.ptp(image, axis=2).max() < 1 / 255
    planes = []
    for channel in range(1 if grey else 3):
        turned = angle + channel * math.pi / 12
        u = (x * math.cos(turned) + y * math.sin(turned)) * (2 * math.pi / period)
        v = (y * math.cos(turned) - x * math.sin(turned)) * (2 * math.pi / period)
        screen = 0.5 + (np.cos(u) + np.cos(v)) / 4
        planes.append(1 / (1 + np.exp((screen - image[..., channel]) / np.float32(softness))))
    dots = np.stack(planes * 3 if grey else planes, axis=2)
    return image + np.float32(strength) * (dots - image)


def add_cracks(image: np.ndarray, *, count: int, width: float, shade: float, seed: int) -> np.ndarray:
    """Branching hairlines in the emulsion, of about `width`, of the grey value `shade` (0 black, 1 white)."""
    height, broad = image.shape[:2]
    rng = np.random.default_rng(seed)
    mask = np.zeros((height, broad), np.float32)
    pending = [(rng.random(2) * (broad, height), rng.random() * 2 * math.pi, 1.0) for _ in range(count)]
    while pending:
        point, direction, part = pending.pop()
        points = [point]
        for _ in range(int((6 + 18 * rng.random()) * part)):
            direction += 0.5 * (rng.random() * 2 - 1)
            point = point + (3 + 6 * rng.random()) * np.array((math.cos(direction), math.sin(direction)))
            points.append(point)
            if rng.random() < 0.06 * part:
                pending.append((point, direction + math.copysign(0.9, rng.random() - 0.5), part / 2))
        _draw_line(mask, points, width * (0.6 + 0.8 * rng.random()), 0.5 + 0.5 * rng.random())
    return _painted(image, mask, shade)


def add_folds(image: np.ndarray, *, count: int, width: float, seed: int) -> np.ndarray:
    """Creases across the whole image: a broken bright line with a soft shadow beside it."""
    height, broad = image.shape[:2]
    rng = np.random.default_rng(seed)
    for _ in range(count):
        centre, angle = rng.random(2) * (broad, height), rng.random() * math.pi
        along = np.array((math.cos(angle), math.sin(angle)))
        steps = np.linspace(-1.5, 1.5, 40)[:, None] * max(height, broad)
        points = centre + steps * along + rng.standard_normal((40, 2)) * 0.8
        line = np.zeros((height, broad), np.float32)
        _draw_line(line, list(points), width, 1.0)
        shadow = cv2.GaussianBlur(line, (0, 0), 2 + 2 * width)
        gaps = cv2.resize(rng.random((12, 12), dtype=np.float32), (broad, height), interpolation=cv2.INTER_CUBIC)
        image = np.clip(image * (1 - 0.5 * shadow[..., None]), 0, 1)
        image = _painted(image, line * np.clip(gaps * 2, 0, 1), 0.75 + 0.25 * rng.random())
    return image


def add_dust(image: np.ndarray, *, count: int, size: float, shade: float, seed: int) -> np.ndarray:
    """`count` specks of about `size`, one in five of them a hair, of the grey value `shade`."""
    height, width = image.shape[:2]
    rng = np.random.default_rng(seed)
    mask = np.zeros((height, width), np.float32)
    for _ in range(count):
        centre, axes = rng.random(2) * (width, height), size * (0.3 + rng.random(2))
        angle, opacity = rng.random() * 360, 0.4 + 0.6 * rng.random()
        if rng.random() < 0.2:
            bends = np.cumsum(rng.standard_normal((8, 2)) + rng.standard_normal(2), axis=0) * size
            _draw_line(mask, list(centre + bends), max(0.7, size / 3), opacity)
        else:
            (x, y), (a, b) = ([int(value * 2**SHIFT) for value in pair] for pair in (centre, axes))
            cv2.ellipse(mask, (x, y), (a, b), angle, 0, 360, opacity, -1, cv2.LINE_8, SHIFT)
    return _painted(image, cv2.GaussianBlur(mask, (0, 0), 0.5), shade)


def add_stains(image: np.ndarray, *, count: int, strength: float, seed: int) -> np.ndarray:
    """Spots of damp: soft-edged, brownish, darker at the rim; `strength` is the light that they take, in [0, 1]."""
    height, width = image.shape[:2]
    rng = np.random.default_rng(seed)
    for _ in range(count):
        waves = rng.standard_normal((9, 9), dtype=np.float32)
        ragged = cv2.resize(waves, (width, height), interpolation=cv2.INTER_CUBIC)
        y, x = np.mgrid[:height, :width].astype(np.float32)
        (left, top), radius = (rng.random(2) * (width, height)).tolist(), (0.06 + 0.2 * rng.random()) * width
        inside = 1 - np.hypot(x - left, y - top) / radius + 0.3 * ragged
        spot = np.clip(inside * 4, 0, 1) * (0.6 + 0.4 * np.exp(-((inside * 5 - 1) ** 2)))
        brown = np.array((1.0, 0.75, 0.5), np.float32) + 0.2 * (rng.random(3).astype(np.float32) - 0.5)
        image = image * np.clip(1 - strength * spot[..., None] * brown, 0, 1)
    return image


def _draw_line(mask: np.ndarray, points: list[np.ndarray], width: float, opacity: float) -> None:
    """A line that OpenCV's whole thicknesses cannot draw: supersampled for widths below two pixels."""
    scale = 4 if width < 2 else 1
    height, broad = mask.shape
    canvas = np.zeros((height * scale, broad * scale), np.uint8)
    corners = np.rint((np.stack(points) + 0.5) * scale * 2**SHIFT).astype(np.int32)
    cv2.polylines(canvas, [corners], False, 255, max(1, round(width * scale)), cv2.LINE_8, SHIFT)
    line = cv2.resize(canvas, (broad, height), interpolation=cv2.INTER_AREA).astype(np.float32) * (opacity / 255)
    np.maximum(mask, line, out=mask)


def _painted(image: np.ndarray, mask: np.ndarray, shade: float) -> np.ndarray:
    return image + mask[..., None] * (np.float32(shade) - image)
