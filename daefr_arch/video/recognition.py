"""Which files are films: their first bytes say so, whatever their names are."""

import glob
import struct
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from daefr_arch.errors import InputError
from daefr_arch.io.image_listing import list_images

EXTENSIONS = ('.avi', '.m2ts', '.m4v', '.mkv', '.mov', '.mp4', '.mpeg', '.mpg', '.mts', '.ts', '.webm', '.wmv')
ANIMATIONS = ('GIF', 'WEBP', 'PNG')
ANIMATION_EXTENSIONS = ('.gif', '.webp', '.png', '.apng')
_PHOTO_BRANDS = (b'avif', b'heic', b'heix', b'mif1', b'heim', b'heis')  # of ISO files: one picture, or a burst of them
_TS_PACKET = 188
_HEAD = 4 * _TS_PACKET


def is_video(path: str | Path) -> bool:
    """Whether the file's content is a film's: a container of videos, or an animated GIF, WebP or PNG.

    What is in the container is not looked at: it may turn out to hold sound alone.
    """
    try:
        with Path(path).open('rb') as stream:
            head = stream.read(_HEAD)
    except OSError:
        return False
    return _is_container(head) or is_animation(path, head)


def list_films(source: str | Path) -> list[Path]:
    """The films that `source` names, sorted: a file, a folder or a glob pattern.

    Of folders and patterns, hidden files and those whose names end neither as a film's nor as an animation's are left
    out; what the others hold is looked at.
    """
    path = Path(source)
    if path.is_file():
        return [path] if is_video(path) else []
    found = path.iterdir() if path.is_dir() else (Path(match) for match in glob.glob(str(source), recursive=True))
    endings = (*EXTENSIONS, *ANIMATION_EXTENSIONS)
    named = [file for file in found if file.suffix.lower() in endings and file.name[0] != '.' and file.is_file()]
    return sorted((file for file in named if is_video(file)), key=Path.as_posix)


def list_photos_and_films(source: str | Path) -> tuple[list[Path], list[Path]]:
    """The photos and the films that `source` names, as `list_images` and `list_films` find them.

    Raises InputError where there is neither.
    """
    films = list_films(source)
    try:
        return [file for file in list_images(source) if file not in films], films
    except InputError:
        if not films:
            raise
        return [], films


def _is_container(head: bytes) -> bool:
    if head[4:8] == b'ftyp':
        return head[8:12] not in _PHOTO_BRANDS and not head[8:12].startswith(b'M4A')
    starts = (
        *(b'\x1a\x45\xdf\xa3', b'FLV\x01', b'\x00\x00\x01\xba', b'\x00\x00\x01\xb3'),  # Matroska, FLV, MPEG-PS, MPEG
        *(b'\x30\x26\xb2\x75\x8e\x66\xcf\x11', b'\xf9\x52\x6a\x62NUT', b'nut/multimedia'),  # ASF
    )
    if head.startswith(starts) or head[4:8] in (b'moov', b'mdat', b'wide', b'free', b'skip'):
        return True
    if head.startswith(b'RIFF') and head[8:12] == b'AVI ':
        return True
    offset = 4 if head[4:5] == b'G' else 0  # m2ts has four bytes more in front of each packet
    packets = range(offset, min(len(head), 3 * (_TS_PACKET + offset)), _TS_PACKET + offset)
    return len(head) == _HEAD and all(head[start] == ord('G') for start in packets)


def is_animation(path: str | Path, head: bytes | None = None) -> bool:
    """Whether the file is a GIF, WebP or PNG of several pictures. head: its first bytes, where they are known."""
    try:
        if head is None:
            with Path(path).open('rb') as stream:
                head = stream.read(_HEAD)
        if not head.startswith((b'GIF8', b'RIFF', b'\x89PNG')):
            return False
        with Image.open(path, formats=ANIMATIONS) as image:
            return getattr(image, 'n_frames', 1) > 1
    except (OSError, UnidentifiedImageError, SyntaxError, ValueError, EOFError, struct.error):
        return False
