"""What a table of the paper consists of: options/ablation/*.yml."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from daefr_arch.choices import CODEBOOK_PATHS
from daefr_arch.errors import InputError
from daefr_arch.evaluation.build import BUILDERS
from daefr_arch.options.checks import check_keys
from daefr_arch.options.option_file import read_option_file

INPUT, TRUTH, STRIPS = 'input', 'ground_truth', 'strips'  # folders beside those of the rows
KEYS = ('title', 'stages', 'test_set', 'metrics', 'paper_input', 'rows')
ROW_KEYS = ('what', 'options', 'path', 's_lq', 'paper')
_ROW_NAME = re.compile(r'[\w(][\w.()=+-]*')  # it names a folder


@dataclass(frozen=True)
class Row:
    """A row of a table.

    Attributes:
        name: of the row and of its folder.
        what: in words.
        options: the option file that trains its networks.
        path: of CodebookPath, where those are the two autoencoders of the association stage; else None.
        s_lq: scale of the LQ feature (appendix C) in restoring, or None.
        paper: the paper's numbers by metric.
    """

    name: str
    what: str
    options: Path
    path: str | None = None
    s_lq: float | None = None
    paper: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class TableConfig:
    """A table: the folders `lq` and `gt` of its test set, its metrics and its rows in order.

    stages: option files of the trainings that the rows start from. paper_input: the paper's numbers of the input.
    """

    file: Path
    title: str
    stages: tuple[Path, ...]
    lq: Path
    gt: Path
    metrics: tuple[str, ...]
    paper_input: Mapping[str, float]
    rows: tuple[Row, ...]


def read_table_config(path: str | Path) -> TableConfig:
    """Reads a table's file, which may have a `base` as option files have (see option_file).

    Option files are named relative to `path`, also those of rows that come from its base; folders of images are
    relative to the working directory, as in option files.

    Raises:
        InputError: names the file and the key: missing, unknown, or of another kind than expected.
    """
    path = Path(path)
    content = read_option_file(path)
    check_keys(content, KEYS, where=str(path))
    test_set = _section(content, 'test_set', str(path))
    check_keys(test_set, ('gt', 'lq'), where=f'{path}: test_set')
    metrics = _list(content, 'metrics', str(path))
    if not metrics:
        raise InputError(f'{path}: metrics: expected one or more')
    check_keys(metrics, tuple(BUILDERS), where=f'{path}: metrics')
    rows = _section(content, 'rows', str(path))
    if not rows:
        raise InputError(f'{path}: rows: expected one or more')
    return TableConfig(
        file=path,
        title=_text(content, 'title', str(path)),
        stages=tuple(_option_file(path, stage, f'{path}: stages') for stage in _list(content, 'stages', str(path))),
        lq=Path(_text(test_set, 'lq', f'{path}: test_set')),
        gt=Path(_text(test_set, 'gt', f'{path}: test_set')),
        metrics=tuple(metrics),
        paper_input=_numbers(content.get('paper_input'), f'{path}: paper_input'),
        rows=tuple(_row(path, str(name), rows[name]) for name in rows),
    )


def _row(path: Path, name: str, content: Any) -> Row:
    where = f'{path}: rows.{name}'
    if not _ROW_NAME.fullmatch(name) or name.casefold() in (INPUT, TRUTH, STRIPS):
        taken = ', '.join((INPUT, TRUTH, STRIPS))
        raise InputError(f'{where}: a row names a folder: expected letters, digits and ._()=+-, and not {taken}')
    if not isinstance(content, Mapping):
        raise InputError(f'{where}: expected a mapping with {", ".join(ROW_KEYS)}, got {content!r}')
    check_keys(content, ROW_KEYS, where=where)
    codebook_path, s_lq = content.get('path'), content.get('s_lq')
    if codebook_path is not None and codebook_path not in CODEBOOK_PATHS:
        raise InputError(f'{where}.path: expected one of {", ".join(CODEBOOK_PATHS)}, got {codebook_path!r}')
    if s_lq is not None and not (_is_number(s_lq) and 0 <= s_lq <= 1):
        raise InputError(f'{where}.s_lq: expected a number from 0 to 1, got {s_lq!r}')
    return Row(
        name=name,
        what=_text(content, 'what', where),
        options=_option_file(path, content.get('options'), f'{where}.options'),
        path=codebook_path,
        s_lq=None if s_lq is None else float(s_lq),
        paper=_numbers(content.get('paper'), f'{where}.paper'),
    )


def _option_file(path: Path, name: Any, where: str) -> Path:
    file = Path(os.path.normpath(path.parent / str(name)))
    if not isinstance(name, str) or not file.is_file():
        raise InputError(f'{where}: expected an option file relative to {path.parent}, and {name!r} is none')
    return file


def _section(content: Mapping[str, Any], key: str, where: str) -> Mapping[str, Any]:
    if not isinstance(content.get(key), Mapping):
        raise InputError(f'{where}: {key}: expected a mapping, got {content.get(key)!r}')
    return content[key]


def _list(content: Mapping[str, Any], key: str, where: str) -> list[str]:
    value = content.get(key)
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise InputError(f'{where}: {key}: expected a list, got {value!r}')
    return value


def _text(content: Mapping[str, Any], key: str, where: str) -> str:
    if not isinstance(content.get(key), str):
        raise InputError(f'{where}: {key}: expected text, got {content.get(key)!r}')
    return content[key]


def _numbers(content: Any, where: str) -> dict[str, float]:
    if content is None:
        return {}
    if not isinstance(content, Mapping) or not all(_is_number(value) for value in content.values()):
        raise InputError(f'{where}: expected numbers by metric, got {content!r}')
    check_keys(content, tuple(BUILDERS), where=where)
    return {key: float(value) for key, value in content.items()}


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
