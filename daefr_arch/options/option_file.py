"""Reading option files: `base`, the file whose options a file changes, and values forced on the command line."""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from daefr_arch.compat import read_forced_value
from daefr_arch.errors import InputError

BASE = 'base'


def read_option_file(path: str | Path) -> dict[str, Any]:
    """The options of a YAML file, merged over those of its `base`, if it names one.

    `base` is a path relative to the file; the base may have one too. Mappings are merged key by key; everything else,
    `~` too, replaces what the base has; a dataset that a file sets to `~` is left out. A YAML alias of the base is a
    copy: changing the one leaves the other.

    Raises:
        InputError: a file is missing, is no YAML mapping, or is its own base.
    """
    return _read_chain(Path(path), ())


def _read_chain(path: Path, above: tuple[Path, ...]) -> dict[str, Any]:
    if path.resolve() in (file.resolve() for file in above):
        raise InputError(f'{path} is its own {BASE}: {" -> ".join(map(str, (*above, path)))}')
    options = _read_yaml(path, above)
    if BASE not in options:
        return options
    base = options.pop(BASE)
    if not isinstance(base, str) or not base:
        raise InputError(f'{path}: {BASE}: expected the path of an option file, got {base!r}')
    merged = _merged(_read_chain(path.parent / base, (*above, path)), options)
    if isinstance(datasets := merged.get('datasets'), Mapping):
        merged['datasets'] = {phase: dataset for phase, dataset in datasets.items() if dataset is not None}
    return merged


def _read_yaml(path: Path, above: tuple[Path, ...]) -> dict[str, Any]:
    place = f'{path}, the {BASE} of {above[-1]},' if above else f'{path}'
    try:
        options = yaml.safe_load(path.read_text(encoding='utf-8'))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InputError(f'{place} cannot be read as an option file: {error}') from error
    if not isinstance(options, dict):
        raise InputError(f'{place} is no option file: expected a mapping of options, got {options!r:.80}')
    return options


def _merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in changes.items():
        old = merged.get(key)
        both = isinstance(old, Mapping) and isinstance(value, Mapping)
        merged[key] = _merged(old, value) if both else value  # type: ignore[arg-type]
    return merged


def force_options(options: Mapping[str, Any], entries: Sequence[str]) -> dict[str, Any]:
    """A copy of `options` with the values of BasicSR's --force_yml: `KEY:KEY=VALUE`, read as it reads them.

    Raises:
        InputError: another form, or a key inside of something that the options do not have.
    """
    forced = _without_aliases(options)
    for entry in entries:
        keys, equals, value = entry.partition('=')
        *sections, key = (part.strip() for part in keys.split(':'))
        if not equals or not key:
            raise InputError(f'--force_yml: expected KEY:KEY=VALUE, got {entry!r}')
        section = forced
        for name in sections:
            section = section.get(name) if isinstance(section, dict) else None
        if not isinstance(section, dict):
            raise InputError(f'--force_yml {entry}: there is no section {":".join(sections)}')
        section[key] = read_forced_value(value.strip())
    return forced


def _without_aliases(value: Any) -> Any:
    """A deep copy in which no two places share an object."""
    if isinstance(value, Mapping):
        return {key: _without_aliases(item) for key, item in value.items()}
    return [_without_aliases(item) for item in value] if isinstance(value, list) else value


def imported_modules(options: Mapping[str, Any]) -> list[str]:
    """The modules that the option `import` names.

    Raises:
        InputError: it names none, and is not left out.
    """
    value = options.get('import')
    names = [value] if isinstance(value, str) else value or []
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise InputError(f'import: expected the name of a module or a list of names, got {value!r}')
    return names


@contextmanager
def resolved_option_file(path: str | Path, entries: Sequence[str] = ()) -> Iterator[str]:
    """A file with the whole options for BasicSR, which reads it and copies it into the experiment's folder.

    It is `path` itself where nothing is to be resolved, else a temporary one of the same name. `val: ~` is left out:
    BasicSR's --debug takes it for a section. `entries`: of force_options.

    Raises:
        InputError: as read_option_file and force_options.
    """
    options = force_options(read_option_file(path), entries)
    without_val = 'val' in options and options['val'] is None
    if not entries and not without_val and BASE not in _read_yaml(Path(path), ()):
        yield str(path)
        return
    if without_val:
        del options['val']
    with tempfile.TemporaryDirectory(prefix='daefr-options-') as folder:
        file = Path(folder) / Path(path).name
        text = yaml.safe_dump(options, sort_keys=False)  # ASCII, whatever the locale
        file.write_text(f'# {path!s}, resolved\n{text}', encoding='utf-8')
        yield str(file)
