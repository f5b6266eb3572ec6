"""Checksums of files of torch.save: they are zip files, with a CRC-32 of each part that PyTorch never looks at."""

import zipfile
import zlib
from pathlib import Path

from daefr_arch.errors import WeightsError


def check_checksums(path: str | Path) -> None:
    """Reads the whole file once, about a second for a gigabyte. Files that are no zip files have none, and pass.

    Raises:
        WeightsError: a byte is not the one that was written; the message names the part of the file.
    """
    if not zipfile.is_zipfile(path):
        return
    try:
        with zipfile.ZipFile(path) as file:
            damaged = file.testzip()
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, ValueError) as error:
        raise WeightsError(f'{path} is damaged: {error}') from error
    if damaged is not None:
        raise WeightsError(f'{path} is damaged: the checksum of its part {damaged} is not the one that was written')
