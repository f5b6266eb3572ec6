"""Receiving a photo: a multipart form, streamed to disk with limits of bytes and of time."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from daefr_arch.errors import InputError

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

MOST_PARTS, MOST_FIELD_BYTES = 20, 4096
FILE_PART = 'file'
IDLE_SECONDS, MOST_SECONDS = 20.0, 900.0  # without a byte, and in all


class TooLargeError(InputError):
    """More bytes or pixels than the server takes."""


class TooSlowError(InputError):
    """Too long without a byte."""


@dataclass
class Form:
    """What was sent: the file's name without folders, '' where there was no file, and the other fields."""

    file_name: str = ''
    fields: dict[str, str] = field(default_factory=dict)


async def receive_form(chunks: AsyncIterator[bytes], content_type: str, target: Path, *, max_bytes: int) -> Form:
    """Reads a multipart form; its file part is written to `target`.

    Args:
        chunks: the body.
        content_type: the header.
        target: a path that is the server's own choice.
        max_bytes: of the body, at most.

    Raises:
        TooLargeError: it has more. TooSlowError: it stalls.
        InputError: it is no such form, or there is not one file part.
    """
    reader = _FormReader(content_type, target)
    received = 0
    deadline = asyncio.get_running_loop().time() + MOST_SECONDS
    try:
        while True:
            left = deadline - asyncio.get_running_loop().time()
            chunk = await asyncio.wait_for(anext(chunks, None), min(IDLE_SECONDS, left))
            if chunk is None:
                break
            received += len(chunk)
            if received > max_bytes:
                raise TooLargeError(f'expected at most {max_bytes} bytes')
            reader.read(chunk)
    except (TimeoutError, asyncio.TimeoutError) as error:
        words = f'nothing came for {IDLE_SECONDS:.0f} seconds, or not all within {MOST_SECONDS:.0f}'
        raise TooSlowError(words) from error
    finally:
        reader.close()
    return reader.form()


def base_name(name: str) -> str:
    """The last part of a path of any system, without control characters, of at most 200 characters and never empty."""
    last = PurePosixPath(name.replace('\\', '/')).name
    last = ''.join(char for char in last if char.isprintable()).strip()
    stem, dot, extension = last.rpartition('.')
    if dot and len(extension) <= 10:
        last = f'{stem[:190]}.{extension}'
    return last[:200].strip('. ') or 'photo'


class _FormReader:
    """Callbacks of the streaming parser."""

    def __init__(self, content_type: str, target: Path) -> None:
        from python_multipart import MultipartParser
        from python_multipart.exceptions import MultipartParseError
        from python_multipart.multipart import parse_options_header

        self._parse_options = parse_options_header
        self._parse_error = MultipartParseError
        kind, options = parse_options_header(content_type)
        if kind != b'multipart/form-data' or b'boundary' not in options:
            raise InputError(f'expected multipart/form-data with a part {FILE_PART!r}, got {content_type[:100]!r}')
        callbacks: MultipartCallbacks = {
            'on_part_begin': self._begin_part,
            'on_header_field': lambda data, start, end: self._header_name.extend(data[start:end]),
            'on_header_value': lambda data, start, end: self._header_value.extend(data[start:end]),
            'on_header_end': self._end_header,
            'on_part_data': self._part_data,
            'on_part_end': self._end_part,
            'on_end': self._end,
        }
        try:
            self._parser = MultipartParser(options[b'boundary'], callbacks)
        except ValueError as error:
            raise InputError(f'no multipart form: {error}') from error
        self._target = target.open('xb')
        self._form = Form()
        self._parts = 0
        self._is_whole = False
        self._header_name, self._header_value = bytearray(), bytearray()
        self._name: str | None = None
        self._is_file = False
        self._value = bytearray()

    def read(self, chunk: bytes) -> None:
        try:
            self._parser.write(chunk)
        except self._parse_error as error:
            raise InputError(f'no multipart form: {error}') from error

    def close(self) -> None:
        self._target.close()

    def form(self) -> Form:
        if not self._is_whole:
            raise InputError('the form ends too early')
        if not self._form.file_name:
            raise InputError(f'expected a part {FILE_PART!r} with a file name')
        return self._form

    def _begin_part(self) -> None:
        self._parts += 1
        if self._parts > MOST_PARTS:
            raise InputError(f'expected at most {MOST_PARTS} parts')
        self._name, self._is_file = None, False
        self._value.clear()

    def _end_header(self) -> None:
        if self._header_name.lower() == b'content-disposition':
            # the parser of options takes text as of headers: one byte a character
            _, options = self._parse_options(self._header_value.decode('latin-1'))
            self._name = options.get(b'name', b'').decode('utf-8', 'replace')
            if b'filename' in options:
                if self._name != FILE_PART or self._form.file_name:
                    raise InputError(f'expected one file, in a part {FILE_PART!r}')
                self._is_file = True
                self._form.file_name = base_name(options[b'filename'].decode('utf-8', 'replace'))
        self._header_name.clear()
        self._header_value.clear()

    def _part_data(self, data: bytes, start: int, end: int) -> None:
        if self._is_file:
            self._target.write(data[start:end])
            return
        self._value += data[start:end]
        if len(self._value) > MOST_FIELD_BYTES:
            raise InputError(f'{self._name}: expected at most {MOST_FIELD_BYTES} bytes')

    def _end_part(self) -> None:
        if self._name is None:
            raise InputError('a part of the form has no name')
        if not self._is_file:
            self._form.fields[self._name] = self._value.decode('utf-8', 'replace')

    def _end(self) -> None:
        self._is_whole = True
