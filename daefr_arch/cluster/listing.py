"""The photos of a tree, one after the other: however many there are, little of the list is held."""

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from daefr_arch.cluster.store import Store, is_local, local_path, open_store
from daefr_arch.errors import InputError
from daefr_arch.io.image_formats import format_of


def list_photos(address: str, left_out: Counter[str]) -> Iterator[str]:
    """The relative paths of the image files below a folder or an address, as they come.

    Hidden files and folders are left out; links are followed, but not to a folder that they lie in. Formats that cannot
    be read here are listed: another machine may read them, else their row says what they need.

    Args:
        address: of the tree.
        left_out: counts, by kind, what is no photo.

    Raises:
        InputError: there is no such folder, or one in it cannot be listed.
    """
    if not is_local(address):
        yield from _remote(open_store(address), left_out)
        return
    root = Path(local_path(address))
    if not root.is_dir():
        raise InputError(f'expected a folder of photos, there is none at {root}')
    yield from _walk(root, '', (), left_out)


def _walk(folder: Path, prefix: str, above: tuple[tuple[int, int], ...], left_out: Counter[str]) -> Iterator[str]:
    """prefix: of the relative paths. above: the folders that this one lies in, by device and number."""
    try:
        status = os.stat(folder)
        here = status.st_dev, status.st_ino
        if here in above:
            left_out['links to a folder that they lie in'] += 1
            return
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.startswith('.'):
                    left_out['hidden'] += 1
                elif entry.is_dir():
                    yield from _walk(folder / entry.name, f'{prefix}{entry.name}/', (*above, here), left_out)
                elif format_of(entry.name) is None:
                    left_out['no images'] += 1
                elif not entry.is_file():
                    left_out['links to nothing, and devices'] += 1
                else:
                    yield f'{prefix}{entry.name}'
    except OSError as error:
        raise InputError(f'{folder}: the folder cannot be listed: {error.strerror}') from error


def _remote(store: Store, left_out: Counter[str]) -> Iterator[str]:
    for file in store.files(''):
        if any(part.startswith('.') for part in file.name.split('/')):
            left_out['hidden'] += 1
        elif format_of(file.name.rpartition('/')[2]) is None:
            left_out['no images'] += 1
        else:
            yield file.name
