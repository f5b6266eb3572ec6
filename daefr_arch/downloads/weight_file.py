"""Weight files by name: the manifest, and where they are, which is the clone, the cache folder or an address."""

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import yaml

from daefr_arch.errors import WeightsError
from daefr_arch.torch_extra import TORCH_EXTRA


@dataclass(frozen=True)
class WeightFile:
    """An entry of weights/manifest.yml. sha256 is None where the publisher states none: then the hash that the server
    announces is checked. size is in bytes; None where unknown, then at_most bounds it."""

    name: str
    file: str
    url: str
    sha256: str | None
    size: int | None
    licence: str
    what: str
    at_most: int | None = None


def weights_folder() -> Path:
    """The project's weights/: beside the package in a clone, inside it when installed."""
    package = Path(__file__).parents[1]
    inside = package / 'weights'
    return inside if inside.is_dir() else package.parent / 'weights'


def cache_folder() -> Path:
    """Where downloads and compiled kernels are kept: $DAEFR_HOME, by default ~/.cache/daefr.

    Raises WeightsError for a user without a home directory who does not set $DAEFR_HOME.
    """
    chosen = os.environ.get('DAEFR_HOME')
    try:
        return Path(chosen) if chosen else Path.home() / '.cache' / 'daefr'
    except RuntimeError:
        raise WeightsError('this user has no home directory to keep weights in: set DAEFR_HOME to a folder') from None


def manifest() -> dict[str, WeightFile]:
    """The files that `fetch` knows, by name."""
    entries = yaml.safe_load((weights_folder() / 'manifest.yml').read_text())
    return {name: WeightFile(name=name, **entry) for name, entry in entries.items()}


def find(name: str) -> Path | None:
    """The file called `name` in the manifest if it is at hand (shipped or in the cache folder), else None."""
    entry = _entry(name)
    folders = [weights_folder()]
    with suppress(WeightsError):  # without a cache folder nothing is in it
        folders.append(cache_folder())
    return next((folder / entry.file for folder in folders if (folder / entry.file).is_file()), None)


def fetch(name: str, *, offline: bool = False) -> Path:
    """Path of the file called `name` in the manifest, downloaded to the cache folder if it is not at hand.

    Raises WeightsError for an unknown name, when offline and not at hand, when the download fails, or when what came
    does not have the expected hash and size. An interrupted download goes on where it stopped.
    """
    path = find(name)
    if path is not None:
        return path
    entry = _entry(name)
    path = cache_folder() / entry.file
    if entry.url is None:
        raise WeightsError(f'{name} ({entry.what}) cannot be downloaded: put the file at {path}')
    if offline:
        raise WeightsError(f'{name} is not at hand and --offline was given: put {entry.url} at {path}')
    try:
        import requests
        import urllib3

        from daefr_arch.downloads.transfer import download
    except ImportError as error:
        raise WeightsError(
            f'{name} is not at hand, and to download it needs {error.name}: {TORCH_EXTRA}, or put {entry.url} at {path}'
        ) from error
    try:
        download(entry.url, path, sha256=entry.sha256, size=entry.size, at_most=entry.at_most)
    except (requests.RequestException, urllib3.exceptions.HTTPError, UnicodeError, OSError) as error:
        raise WeightsError(f'could not download {entry.url} ({error}): put the file at {path} by hand') from error
    return path


def _entry(name: str) -> WeightFile:
    entries = manifest()
    if name not in entries:
        raise WeightsError(f'unknown weights {name!r}: expected one of {", ".join(entries)}')
    return entries[name]
