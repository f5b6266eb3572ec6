"""The Parquet files of a job: a shard's photos, and what became of them. Nothing else knows their columns.

A path is text, `path`; where its bytes are no UTF-8 they stand in `path_bytes`, and `path` shows them as \\\\xNN.
"""

import io
import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from daefr_arch.cluster.libraries import load_pyarrow
from daefr_arch.errors import InputError


@dataclass(frozen=True)
class ResultRow:
    """What became of a photo.

    path: below the input. page: from 1, None for a file that holds one photo. pages: of the file. status: as in the
    report of `daefr restore`, and 'killed': its workers died of it. output: below the output, None where nothing was
    written. size: of the output, in bytes. faces: as in the report.
    """

    path: str
    page: int | None
    pages: int
    status: str
    error: str | None = None
    error_class: str | None = None
    output: str | None = None
    size: int | None = None
    faces: list[dict[str, Any]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    precision: str | None = None
    seconds: float = 0.0


def manifest_table(paths: Sequence[str]) -> bytes:
    """A shard of the manifest."""
    pa = load_pyarrow()
    text, raw = _columns(paths)
    return _bytes({'path': pa.array(text, pa.string()), 'path_bytes': pa.array(raw, pa.binary())}, {})


def read_manifest(data: bytes) -> list[str]:
    """The paths of a shard of the manifest, in its order."""
    return _paths(_table(data, ['path', 'path_bytes']), 'path')


def result_table(rows: Sequence[ResultRow], *, metadata: dict[str, str] | None = None) -> bytes:
    """The results of a shard. metadata: what is to be said of all of them."""
    pa = load_pyarrow()
    text, raw = _columns([row.path for row in rows])
    output, output_raw = _columns([row.output for row in rows])
    strings = pa.string()
    columns = {
        'path': pa.array(text, strings),
        'path_bytes': pa.array(raw, pa.binary()),
        'page': pa.array([row.page for row in rows], pa.int32()),
        'pages': pa.array([row.pages for row in rows], pa.int32()),
        'status': pa.array([row.status for row in rows], strings),
        'error': pa.array([_shown(row.error) for row in rows], strings),
        'error_class': pa.array([row.error_class for row in rows], strings),
        'output': pa.array(output, strings),
        'output_bytes': pa.array(output_raw, pa.binary()),
        'size': pa.array([row.size for row in rows], pa.int64()),
        'faces': pa.array([json.dumps(row.faces) for row in rows], strings),
        'warnings': pa.array([[_shown(text) for text in row.warnings] for row in rows], pa.list_(strings)),
        'precision': pa.array([row.precision for row in rows], strings),
        'seconds': pa.array([row.seconds for row in rows], pa.float64()),
    }
    return _bytes(columns, metadata or {})


def read_results(data: bytes) -> list[ResultRow]:
    """The results of a shard."""
    table = _table(data, None)
    columns = table.to_pydict()
    columns['path'], columns['output'] = _paths(table, 'path'), _paths(table, 'output')
    columns['faces'] = [json.loads(faces) for faces in columns['faces']]
    names = ResultRow.__dataclass_fields__
    return [
        ResultRow(**dict(zip(names, values, strict=True)))
        for values in zip(*(columns[name] for name in names), strict=True)
    ]


def read_outcomes(data: bytes) -> tuple[list[str], list[int], list[int], list[str], list[str | None], list[int | None]]:
    """Path, page (0 for None), pages, status, output and size of each result: what `verify` looks at, read fast."""
    table = _table(data, ['path', 'path_bytes', 'page', 'pages', 'status', 'output', 'output_bytes', 'size'])
    pages = table['page'].fill_null(0).to_pylist()
    others = (table[name].to_pylist() for name in ('pages', 'status'))
    return _paths(table, 'path'), pages, *others, _paths(table, 'output'), table['size'].to_pylist()


def _columns(paths: Iterable[str | None]) -> tuple[list[str | None], list[bytes | None]]:
    text: list[str | None] = []
    raw: list[bytes | None] = []
    for path in paths:
        is_text = path is None or path.isascii() or not any('\udc80' <= letter <= '\udcff' for letter in path)
        text.append(path if is_text else _shown(path))
        raw.append(None if is_text or path is None else os.fsencode(path))
    return text, raw


def _paths(table: Any, name: str) -> list[Any]:
    text = table[name].to_pylist()
    raw = table[f'{name}_bytes']
    if raw.null_count == len(raw):
        return text
    return [path if data is None else os.fsdecode(data) for path, data in zip(text, raw.to_pylist(), strict=True)]


def _shown(text: str | None) -> str | None:
    """The text with bytes that are no UTF-8 as \\xNN."""
    return None if text is None else text.encode(errors='surrogateescape').decode(errors='backslashreplace')


def _bytes(columns: dict[str, Any], metadata: dict[str, str]) -> bytes:
    pa = load_pyarrow()
    table = pa.table(columns).replace_schema_metadata(metadata)
    sink = io.BytesIO()
    pa.parquet.write_table(table, sink, compression='zstd')
    return sink.getvalue()


def _table(data: bytes, columns: list[str] | None) -> Any:
    pa = load_pyarrow()
    try:
        return pa.parquet.read_table(io.BytesIO(data), columns=columns)
    except (pa.ArrowException, OSError) as error:
        raise InputError(f'not a Parquet file of a job, or damaged: {error}') from error
