"""The image files that a user names."""

import glob
import os
from collections.abc import Iterator
from pathlib import Path

from daefr_arch.errors import InputError

EXTENSIONS = ('.avif', '.bmp', '.gif', '.jfif', '.jpeg', '.jpg', '.png', '.ppm', '.tif', '.tiff', '.webp')


def list_images(source: str | Path, *, recursive: bool = False) -> list[Path]:
    """The image files that `source` names, sorted: one file, a folder or a glob pattern.

    Of folders and patterns, hidden files and files without an image extension (EXTENSIONS, any case) are left out.

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
    images = sorted((file for file in found if _is_image(file)), key=Path.as_posix)
    if not images:
        what = 'no image in the folder' if path.is_dir() else 'no image file, folder or pattern with matches at'
        raise InputError(f'{what} {source}: expected {", ".join(EXTENSIONS)}')
    return images


def _is_image(file: Path) -> bool:
    return file.suffix.lower() in EXTENSIONS and file.name[0] != '.' and file.is_file()


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
