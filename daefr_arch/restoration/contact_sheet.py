"""Images side by side under titles."""

from collections.abc import Sequence

import cv2
import numpy as np

TITLE = 40  # pixels above the tiles


def contact_sheet(rows: Sequence[Sequence[np.ndarray]], titles: Sequence[str], *, tile: int = 512) -> np.ndarray:
    """Images (H, W, 3) BGR uint8 in rows, each fitted into a square of `tile` pixels, a title above each column.

    Returns BGR uint8 (TITLE + tile * rows, tile * columns, 3), white where there is no image.
    """
    sheet = np.full((TITLE + tile * len(rows), tile * len(titles), 3), 255, np.uint8)
    for column, title in enumerate(titles):
        place = (column * tile + 12, TITLE - 12)
        cv2.putText(sheet, title, place, cv2.FONT_HERSHEY_SIMPLEX, 0.9, (0, 0, 0), 2, cv2.LINE_AA)
    for row, images in enumerate(rows):
        for column, image in enumerate(images):
            scale = tile / max(image.shape)
            size = (round(image.shape[1] * scale), round(image.shape[0] * scale))
            fitted = cv2.resize(image, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
            y, x = TITLE + row * tile, column * tile
            sheet[y : y + size[1], x : x + size[0]] = fitted
    return sheet
