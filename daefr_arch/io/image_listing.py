"""The image files that a user names."""

import glob
import logging
import os
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

from daefr_arch.errors import InputError
from daefr_arch.io.image_formats import ImageFormat, format_of, readable_extensions

_logger = logging.getLogger(__name__)


def list_images(source: str | Path, *, recursive: bool = False) -> list[Path]:
    """The image files that `source` names, sorted: one file, a folder or a glob pattern.

    Of folders and patterns, hidden files and files that no image has the name of are left out; so are images of
    formats that cannot be read here, which a warning names and counts, with what they need.

    Args:
        source: the file, folder or pattern; the paths returned begin with it.
        recursive: list the subfolders of a folder too. Links are followed, each folder is listed once.

    Raises:
        InputError: nothing is there.
    """
    path = Path(source)
    if path.is_file():
        return [path]
    if path.is_dir():
        found = _walk(path, set()) if recursive else path.iterdir()
    else:
        found = (Path(match) for match in glob.glob(str(source), recursive=True))
    images = sorted(_images(found), key=lambda image: image[0].as_posix())
    readable = [file for file, image_format in images if image_format.is_read]
    left_out = _left_out([image for image in images if not image[1].is_read])
    if not readable:
        what = 'no image in the folder' if path.is_dir() else 'no image file, folder or pattern with matches at'
        expected = f'{what} {source}: expected {", ".join(readable_extensions())}'
        raise InputError('; '.join([expected, *left_out]))
    for line in left_out:
        _logger.warning('%s', line)
    return readable


def _images(files: Iterable[Path]) -> Iterator[tuple[Path, ImageFormat]]:
    for file in files:
        image_format = format_of(file.name)
        if image_format and file.name[0] != '.' and file.is_file():
            yield file, image_format


def _left_out(images: list[tuple[Path, ImageFormat]]) -> list[str]:
    """A line for each format of images that cannot be read: how many, which, and what to do."""
    names = defaultdict(list)
    for file, image_format in images:
        names[image_format].append(file.name)
    return [
        f'{len(files)} {image_format.name} image{"s" * (len(files) > 1)} left out ({image_format.remedy}): '
        + ', '.join(files)
        for image_format, files in names.items()
    ]


def _walk(folder: Path, seen: set[str]) -> Iterator[Path]:
    """Files of a folder and those below it; `seen`: real paths, because a link may lead back."""
    real = os.path.realpath(folder)
    if real in seen:
        return
    seen.add(real)
    for entry in sorted(folder.iterdir()):
        if not entry.is_dir():
            yield entry
        elif entry.name[0] != '.':
            yield from _walk(entry, seen)
