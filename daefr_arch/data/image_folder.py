"""The images of a folder and its subfolders."""

import os
from pathlib import Path

from daefr_arch.errors import InputError
from daefr_arch.restoration.image_file import EXTENSIONS


def find_images(folder: str | Path) -> list[Path]:
    """Image files under `folder`, as paths relative to it, sorted; symbolic links are followed, hidden names left out.

    Raises:
        InputError: it is no folder, or has no image.
    """
    if not os.path.isdir(folder):
        raise InputError(f'{folder}: expected a folder of images, and there is no such folder')
    found = []
    for root, folders, names in os.walk(folder, followlinks=True):
        folders[:] = [name for name in folders if not name.startswith('.')]
        relative_root = Path(root).relative_to(folder)
        found += [relative_root / name for name in names if name[0] != '.' and Path(name).suffix.lower() in EXTENSIONS]
    if not found:
        raise InputError(f'{folder}: no image in it or its subfolders; expected {", ".join(EXTENSIONS)}')
    return sorted(found, key=Path.as_posix)
