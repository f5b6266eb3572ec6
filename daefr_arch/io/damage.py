"""Files that are cut or damaged, made so that decoders read what is left of them.

Nothing here is a switch of the process, as Pillow's LOAD_TRUNCATED_IMAGES is: the bytes are changed, each file's own.
"""

from collections.abc import Callable
from dataclasses import dataclass

from daefr_arch.io import damaged_jpeg, damaged_png, damaged_tiff, damaged_webp

# bytes that can be decoded, and the share in [0, 1] that is lost, None where that is not known
Mended = tuple[bytes, float | None] | None

LEAST_HELD = 0.05  # of a photo: with less it is refused


@dataclass(frozen=True)
class Contents:
    """The bytes of an image file. damage: a phrase that says what was lost; None for a sound file."""

    data: bytes
    damage: str | None = None


def mended(data: bytes, image_format: str) -> Contents | None:
    """A damaged file of one of Pillow's formats as one that can be decoded; None where nothing can be done.

    Raises:
        ValueError: too little is left, or what is missing cannot be done without.
    """
    mend = _MENDERS.get(image_format)
    result = mend(data) if mend else None
    return None if result is None else Contents(result[0], damage(result[1]))


def damage(lost: float | None) -> str:
    """What is said of a photo of which a share in [0, 1] of the rows is lost; None: not known.

    Raises:
        ValueError: less than LEAST_HELD is left.
    """
    if lost is None:
        return 'the file is cut: the details of the photo are incomplete'
    if lost > 1 - LEAST_HELD:
        raise ValueError(f'cut or damaged: only {max(0.0, 1 - lost):.0%} of its rows are there')
    if not lost:
        return 'the file is cut or damaged at its end: the photo is whole'
    return f'the file is cut or damaged: {max(0.01, lost):.0%} of its rows are missing'


_MENDERS: dict[str, Callable[[bytes], Mended]] = {
    'JPEG': damaged_jpeg.mended,
    'MPO': damaged_jpeg.mended,
    'PNG': damaged_png.mended,
    'TIFF': damaged_tiff.mended,
    'WEBP': damaged_webp.mended,
}
