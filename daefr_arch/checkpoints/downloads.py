"""Weight files that are not part of the clone: the manifest, the cache folder, resumable verified downloads."""

import logging
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import requests
import yaml
from tqdm import tqdm

from daefr_arch.errors import WeightsError
from daefr_arch.io.file_hash import file_sha256

_logger = logging.getLogger(__name__)

_CHUNK = 1 << 16  # bytes; of a connection that breaks, all but the last chunk is kept


@dataclass(frozen=True)
class WeightFile:
    """An entry of weights/manifest.yml. sha256 is None where the publisher states none: then the hash that the server
    announces is checked. size is in bytes, None where unknown."""

    name: str
    file: str
    url: str
    sha256: str | None
    size: int | None
    licence: str
    what: str


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
    does not have the expected hash. An interrupted download goes on where it stopped.
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
        download(entry.url, path, sha256=entry.sha256)
    except (requests.RequestException, OSError) as error:
        raise WeightsError(f'could not download {entry.url} ({error}): put the file at {path} by hand') from error
    return path


def download(url: str, path: Path, *, sha256: str | None) -> None:
    """Downloads `url` to `path` through `path`.part, which a later call continues; renamed only when verified.

    Raises WeightsError for a wrong hash (the part is then deleted), requests.RequestException and OSError else.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + '.part')
    done = part.stat().st_size if part.exists() else 0
    headers = {'Range': f'bytes={done}-'} if done else {}
    with requests.get(url, headers=headers, stream=True, timeout=30) as response:
        complete = response.status_code == requests.codes.requested_range_not_satisfiable and done > 0
        if not complete:
            response.raise_for_status()
            _receive(response, part, resumed=response.status_code == requests.codes.partial_content, done=done)
        expected = sha256 or _announced_hash(response)
    actual = file_sha256(part)
    if expected is None:
        _logger.warning('%s: neither the manifest nor the server states a hash; got sha256 %s', url, actual)
    elif not actual.startswith(expected):  # some publishers state the first digits, in the file's name
        part.unlink()
        raise WeightsError(f'{url}: expected sha256 {expected}, got {actual}; the download was deleted, try again')
    os.replace(part, path)


def _receive(response: requests.Response, part: Path, *, resumed: bool, done: int) -> None:
    """Appends the body to the part when the server resumes, else starts it anew."""
    start = done if resumed else 0
    length = response.headers.get('Content-Length')
    total = start + int(length) if length else None
    with part.open('ab' if resumed else 'wb') as stream:
        with tqdm(total=total, initial=start, unit='B', unit_scale=True, desc=part.stem) as bar:
            for chunk in response.iter_content(_CHUNK):
                stream.write(chunk)
                bar.update(len(chunk))
    size = part.stat().st_size
    if total is not None and size != total:
        raise requests.ConnectionError(f'the connection broke after {size} of {total} bytes; call again to go on')


def _announced_hash(response: requests.Response) -> str | None:
    """The sha256 by which model hubs name a large file, in the headers of the answer or of its redirects."""
    for answer in (*response.history, response):
        tag = answer.headers.get('X-Linked-ETag', '').strip('"')
        if len(tag) == 64:
            return tag
    return None


def _entry(name: str) -> WeightFile:
    entries = manifest()
    if name not in entries:
        raise WeightsError(f'unknown weights {name!r}: expected one of {", ".join(entries)}')
    return entries[name]
