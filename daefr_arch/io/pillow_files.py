"""Opening image files in memory with Pillow: which formats, which plug-ins, and no limit of pixels but the caller's."""

import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from io import BytesIO
from pathlib import Path

import cv2
from PIL import Image

from daefr_arch.io.image_formats import readable_formats

# what Pillow, its plug-ins and OpenCV raise on damaged files
DAMAGED = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    LookupError,
    EOFError,
    AssertionError,
    AttributeError,
    ArithmeticError,
    RuntimeError,
    MemoryError,
    struct.error,
    cv2.error,
)
_PILLOW_WARNS_ABOVE = 80_000_000

_pillow_limit = threading.Lock()


def open_image(data: bytes | Path) -> Image.Image:
    """The image that a file, or its bytes, hold, not decoded yet; its content says which format it is.

    Raises:
        UnidentifiedImageError: none that is read, or damaged. Any other of DAMAGED: damaged.
    """
    with _no_pillow_limit():
        return Image.open(BytesIO(data) if isinstance(data, bytes) else data, formats=readable_formats())


def load_image(image: Image.Image) -> None:
    """Decodes the pixels; raises any of DAMAGED."""
    # some decoders of Pillow check its limit once more; others must not wait for the lock
    with _no_pillow_limit() if image.width * image.height > _PILLOW_WARNS_ABOVE else nullcontext():
        image.load()


@contextmanager
def _no_pillow_limit() -> Iterator[None]:
    """Lifts Pillow's own limit of pixels, a global of the process: `read_image` checks ours."""
    with _pillow_limit:
        limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS = limit
