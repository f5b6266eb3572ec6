"""The folder of a comparison: new, or begun with the same settings by a run that was interrupted."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from daefr_arch.comparison.method import Method
from daefr_arch.errors import UsageError
from daefr_arch.io.atomic_file import make_folder, write_bytes
from daefr_arch.io.folder_lock import LOCK

SETTINGS = 'settings.json'
FINISHED = 'compare.json'  # written last


def describe_files(files: Iterable[Path]) -> list[list[Any]]:
    """Path, size and time of change of each: another file under the same name is another setting."""
    return [[str(file.absolute()), (status := file.stat()).st_size, status.st_mtime_ns] for file in files]


def describe_methods(methods: Sequence[Method]) -> dict[str, Any]:
    """Name -> SPEC in its parts, and the state of its file if it is one."""
    files = {method: [Path(method.source)] if Path(method.source).is_file() else [] for method in methods}
    return {method.name: [method.source, method.with_evidence, describe_files(files[method])] for method in methods}


def check_folder(root: Path, settings: Mapping[str, Any]) -> None:
    """Raises UsageError unless `root` is new, empty, or an unfinished comparison with these settings."""
    if not root.exists() or (root.is_dir() and not {path.name for path in root.iterdir()} - {LOCK}):
        return
    record = root / SETTINGS
    if not record.is_file() or (root / FINISHED).exists():
        raise UsageError(f'output: expected a new or empty folder, or an unfinished comparison; {root} is none')
    begun = json.loads(record.read_text(encoding='utf-8'))
    different = [name for name in settings if begun.get(name) != settings[name]]
    if different:
        raise UsageError(
            f'output: {root} was begun with other settings ({", ".join(different)}): repeat them to go on, or name '
            'another folder'
        )


def begin(root: Path, settings: Mapping[str, Any]) -> None:
    """Makes the folder and notes the settings in it."""
    make_folder(root)
    write_bytes(root / SETTINGS, json.dumps(settings, indent=1).encode())
