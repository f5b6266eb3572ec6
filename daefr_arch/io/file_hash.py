"""Hashes of files."""

import hashlib
from pathlib import Path

_CHUNK = 1 << 20  # bytes


def file_sha256(path: str | Path) -> str:
    """Hexadecimal SHA-256 of the file's content. Raises OSError where it cannot be read."""
    digest = hashlib.sha256()
    with Path(path).open('rb') as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
