"""Pictures that show a face in every row side by side, as Fig. 5, 8, 9 and 11 do."""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

SMALLEST_TILE = 160  # pixels: smaller faces are enlarged by a whole factor, so that their labels can be read
GAP = 4
LABEL_LINES = 4  # of the text below the title


@dataclass(frozen=True)
class Tile:
    """A face (R, R, 3) BGR uint8 with a title, and a text below that is cut after LABEL_LINES lines."""

    title: str
    text: str
    face: np.ndarray


def draw_strip(tiles: Sequence[Tile]) -> np.ndarray:
    """The tiles from left to right on white, each below its label: (H, W, 3) BGR uint8. All faces have one size."""
    side = tiles[0].face.shape[0]
    factor = max(1, -(-SMALLEST_TILE // side))
    width = side * factor
    font_size = max(13, width // 22)
    text_font, title_font = ImageFont.load_default(font_size), ImageFont.load_default(font_size * 1.2)
    characters = max(1, int(width / text_font.getlength('n')))
    texts = [textwrap.wrap(tile.text, characters)[:LABEL_LINES] for tile in tiles]
    line = round(font_size * 1.25)
    top = round(line * 1.4) + line * max(map(len, texts)) + GAP
    strip = Image.new('RGB', (len(tiles) * (width + GAP) + GAP, top + width + GAP), 'white')
    draw = ImageDraw.Draw(strip)
    for index, (tile, lines) in enumerate(zip(tiles, texts, strict=True)):
        left = GAP + index * (width + GAP)
        draw.text((left, GAP), tile.title, fill='black', font=title_font)
        for row, text in enumerate(lines):
            draw.text((left, round(line * 1.4) + row * line), text, fill='black', font=text_font)
        face = cv2.resize(tile.face, (width, width), interpolation=cv2.INTER_NEAREST)
        strip.paste(Image.fromarray(cv2.cvtColor(face, cv2.COLOR_BGR2RGB)), (left, top))
    return cv2.cvtColor(np.asarray(strip), cv2.COLOR_RGB2BGR)
