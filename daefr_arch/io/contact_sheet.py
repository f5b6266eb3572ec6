"""Pictures side by side under their titles."""

import textwrap
from collections.abc import Sequence

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

GAP = 4  # white pixels around every tile
SMALLEST_TILE = 160  # pixels: below it a label cannot be read
TEXT_LINES = 4  # of a text at most


def contact_sheet(
    rows: Sequence[Sequence[np.ndarray]],
    titles: Sequence[str],
    *,
    texts: Sequence[str] = (),
    tile: int | None = None,
) -> np.ndarray:
    """Draws pictures in rows, each fitted into a square, on white.

    Args:
        rows: pictures (H, W, 3) BGR uint8, a column for each title.
        titles, texts: of the columns, above the first row; a text is wrapped, and cut after TEXT_LINES lines.
        tile: side of the squares in pixels; None: that of the largest picture, times the whole factor that makes it
            SMALLEST_TILE at least.

    Returns:
        BGR uint8; the last row of tiles ends GAP pixels above the lower border.
    """
    side = tile or _readable_side(max(max(image.shape[:2]) for row in rows for image in row))
    header = _draw_header(titles, texts, side)
    body = np.full((len(rows) * (side + GAP), header.shape[1], 3), 255, np.uint8)
    for row, images in enumerate(rows):
        for column, image in enumerate(images):
            fitted = _fit(image, side)
            y, x = row * (side + GAP), GAP + column * (side + GAP)
            body[y : y + fitted.shape[0], x : x + fitted.shape[1]] = fitted
    return np.vstack((header, body))


def _readable_side(largest: int) -> int:
    return largest * max(1, -(-SMALLEST_TILE // largest))


def _fit(image: np.ndarray, side: int) -> np.ndarray:
    """The picture with `side` as its longer side; a whole factor keeps the pixels as they are."""
    scale = side / max(image.shape[:2])
    size = (round(image.shape[1] * scale), round(image.shape[0] * scale))
    interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_NEAREST if scale == int(scale) else cv2.INTER_CUBIC
    return cv2.resize(image, size, interpolation=interpolation)


def _draw_header(titles: Sequence[str], texts: Sequence[str], side: int) -> np.ndarray:
    font_size = max(13, side // 22)
    text_font, title_font = ImageFont.load_default(font_size), ImageFont.load_default(font_size * 1.2)
    characters = max(1, int(side / text_font.getlength('n')))
    wrapped = [textwrap.wrap(text, characters)[:TEXT_LINES] for text in texts]
    line = round(font_size * 1.25)
    first = round(line * 1.4)
    height = first + line * max(map(len, wrapped), default=0) + GAP
    header = Image.new('RGB', (len(titles) * (side + GAP) + GAP, height), 'white')
    draw = ImageDraw.Draw(header)
    for column, title in enumerate(titles):
        left = GAP + column * (side + GAP)
        draw.text((left, GAP), title, fill='black', font=title_font)
        for row, text in enumerate(wrapped[column] if wrapped else ()):
            draw.text((left, first + row * line), text, fill='black', font=text_font)
    return cv2.cvtColor(np.asarray(header), cv2.COLOR_RGB2BGR)
