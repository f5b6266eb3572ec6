"""A file from an address: resumed where it can be verified, checked while it comes, in place only when it is whole."""

import logging
import os
from dataclasses import dataclass
from pathlib import Path

import requests
from filelock import FileLock
from tqdm import tqdm

from daefr_arch.downloads.kind_of_page import kind_of_page
from daefr_arch.errors import WeightsError
from daefr_arch.io.file_hash import file_sha256

_logger = logging.getLogger(__name__)

LARGEST = 1 << 33  # bytes, of a file about whose size nothing is known
_CHUNK = 1 << 16  # bytes; of a connection that breaks, all but the last chunk is kept


@dataclass(frozen=True)
class _Expected:
    """What is known of a file before it comes; None where it is not."""

    url: str
    sha256: str | None
    size: int | None
    at_most: int

    def check_size(self, size: int) -> None:
        """Raises WeightsError for a size, announced or received, that the file cannot have."""
        if self.size is not None and size > self.size:
            raise WeightsError(f'{self.url}: expected {self.size} bytes, {size} came or were announced')
        if size > self.at_most:
            raise WeightsError(f'{self.url}: expected at most {self.at_most} bytes, {size} came or were announced')


def download(url: str, path: Path, *, sha256: str | None, size: int | None = None, at_most: int | None = None) -> None:
    """Downloads `url` to `path` through `path`.part, which a later call continues; renamed only when verified.

    Args:
        url: address of the file.
        path: where it is to lie. While another process downloads it, this one waits.
        sha256: its hash, or the first digits of it, as some publishers have them in the name; None: what the server
            announces.
        size: its bytes, if they are known.
        at_most: a bound of them else; LARGEST if None.

    Raises:
        WeightsError: a wrong hash or size, a web page in the file's place, or nothing to tell by whether it is whole.
            What came is deleted.
        requests.RequestException, urllib3.exceptions.HTTPError, OSError: the connection, or the disk.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = path.with_name(path.name + '.lock')
    with FileLock(lock):
        try:
            if not path.is_file():
                _download(_Expected(url, sha256, size, at_most or LARGEST), path)
        finally:
            lock.unlink(missing_ok=True)


def _download(expected: _Expected, path: Path) -> None:
    part = path.with_name(path.name + '.part')
    is_continued = part.exists()
    try:
        sha256 = _receive(expected, part)
        _verify(expected, part, sha256)
    except WeightsError:
        part.unlink(missing_ok=True)
        if not is_continued:
            raise
        _logger.warning('%s: what an earlier download had left is of another file: starting again', expected.url)
        _download(expected, path)
    else:
        os.replace(part, path)


def _verify(expected: _Expected, part: Path, sha256: str | None) -> None:
    """Raises WeightsError where the part is not the file."""
    page = kind_of_page(part)
    if page:
        raise WeightsError(f'{expected.url}: expected weights, {page}')
    actual = file_sha256(part)
    if sha256 is None:
        _logger.warning('%s: neither the manifest nor the server states a hash; got sha256 %s', expected.url, actual)
    elif not actual.startswith(sha256):
        raise WeightsError(
            f'{expected.url}: expected sha256 {sha256}, got {actual}; the download was deleted, try again'
        )


def _receive(expected: _Expected, part: Path) -> str | None:
    """Appends to the part what it lacks, or starts it anew; returns the hash it must have, None if nobody knows it.

    It is continued only where a hash will tell whether both pieces are of one file.
    """
    done = part.stat().st_size if part.exists() else 0
    expected.check_size(done)
    headers = {'Accept-Encoding': 'identity', **({'Range': f'bytes={done}-'} if done else {})}
    with requests.get(expected.url, headers=headers, stream=True, timeout=30) as response:
        sha256 = expected.sha256 or _announced_hash(response)
        if done and response.status_code != requests.codes.ok:
            if sha256 and response.status_code == requests.codes.requested_range_not_satisfiable:
                return sha256  # it was complete
            if sha256 and _continues(response, done):
                _write(expected, response, part, start=done, sha256=sha256)
                return sha256
            part.unlink()
        else:
            response.raise_for_status()
            if response.status_code != requests.codes.ok:
                raise requests.HTTPError(f'expected status 200, got {response.status_code}')
            _write(expected, response, part, start=0, sha256=sha256)
            return sha256
    return _receive(expected, part)


def _continues(response: requests.Response, done: int) -> bool:
    """Whether the answer is the rest of the file, byte by byte."""
    place = response.headers.get('Content-Range', '')
    return (
        response.status_code == requests.codes.partial_content
        and place.startswith(f'bytes {done}-')
        and not _is_encoded(response)
    )


def _write(expected: _Expected, response: requests.Response, part: Path, *, start: int, sha256: str | None) -> None:
    """Writes the body behind the first `start` bytes of the part, no more of it than the file may have."""
    length = _length(response)
    total = None if length is None or _is_encoded(response) else start + length
    if total is not None:
        expected.check_size(total)
    if length is None and sha256 is None and expected.size is None and not _is_chunked(response):
        raise WeightsError(f'{expected.url}: the server states neither length nor hash: no telling if all of it comes')
    size = start
    with part.open('ab' if start else 'wb') as stream:
        with tqdm(total=total, initial=start, unit='B', unit_scale=True, desc=part.stem) as bar:
            for chunk in response.iter_content(_CHUNK):
                size += len(chunk)
                expected.check_size(size)
                stream.write(chunk)
                bar.update(len(chunk))
    whole = expected.size if expected.size is not None else total
    if whole is not None and size != whole and not kind_of_page(part):
        raise requests.ConnectionError(f'the connection broke after {size} of {whole} bytes; call again to go on')


def _length(response: requests.Response) -> int | None:
    """Bytes of the body as it is sent. Raises WeightsError for a header that is no number."""
    text = response.headers.get('Content-Length')
    if text is None:
        return None
    if not (text.isascii() and text.isdigit()):
        raise WeightsError(f'{response.url}: expected a number of bytes as Content-Length, the server states {text!r}')
    return int(text)


def _is_encoded(response: requests.Response) -> bool:
    """Whether the body is packed for the way, as by gzip: then the length is not that of the file."""
    return response.headers.get('Content-Encoding', 'identity').lower() != 'identity'


def _is_chunked(response: requests.Response) -> bool:
    """Whether the body has an end that tells it from a broken connection."""
    return response.headers.get('Transfer-Encoding', '').lower() == 'chunked'


def _announced_hash(response: requests.Response) -> str | None:
    """The sha256 by which model hubs name a large file, in the headers of the answer or of its redirects."""
    for answer in (*response.history, response):
        tag = answer.headers.get('X-Linked-ETag', '').strip('"')
        if len(tag) == 64:
            return tag
    return None
