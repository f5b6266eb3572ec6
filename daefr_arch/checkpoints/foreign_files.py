"""Files of anybody's: whatever a library makes of a broken or hostile one becomes one WeightsError with the path."""

import pickle
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from safetensors import SafetensorError

from daefr_arch.downloads import kind_of_page
from daefr_arch.errors import DAEFRError, WeightsError

# what readers of others raise on bytes that they do not expect
READING_ERRORS: tuple[type[Exception], ...] = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    ImportError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    SafetensorError,
    TypeError,
    ValueError,
    pickle.PickleError,
    struct.error,
    zipfile.BadZipFile,
    zlib.error,
)
_LONGEST = 300  # characters of another library's message


@contextmanager
def foreign_file(path: str | Path, what: str, *more: type[Exception]) -> Iterator[None]:
    """Inside, the errors of a reader of others become WeightsErrors; those of this package pass.

    Args:
        path: the file.
        what: what it should be, as 'a PyTorch file'.
        more: errors that only this reader raises.
    """
    try:
        yield
    except DAEFRError:
        raise
    except (*READING_ERRORS, *more) as error:
        kind = kind_of_page(path) or f'it is damaged or no such file: {one_line(error)}'
        raise WeightsError(f'{path}: expected {what}, {kind}') from error


def weight_file(path: str | Path) -> Path:
    """The path, if a file is there. Raises WeightsError else."""
    path = Path(path)
    try:
        there = path.is_file()
    except (OSError, ValueError) as error:  # a folder above it may not be entered; a null byte
        raise WeightsError(f'{path}: {one_line(error)}') from error
    if not there:
        raise WeightsError(f'no weight file at {path}')
    return path


def one_line(error: BaseException) -> str:
    """The first line of a message, which may be long, or the kind of the error where it says nothing."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return printable(lines[0]) if lines else type(error).__name__


def printable(text: str, longest: int = _LONGEST) -> str:
    """Text of a file, as a message may show it."""
    text = text if len(text) <= longest else text[:longest] + '...'
    return ''.join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text)
