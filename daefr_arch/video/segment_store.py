"""The folder of a film's segments: what makes a run that was stopped go on where it was."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from daefr_arch.errors import InputError, OutputError, UsageError
from daefr_arch.io.atomic_file import atomic_path, make_folder, write_bytes
from daefr_arch.io.folder_lock import LOCK, locked_folder
from daefr_arch.video.encoding import Encoding
from daefr_arch.video.segment import Segment, SegmentWriter

MANIFEST = 'manifest.json'


class SegmentStore:
    """Finished segments beside the result, in the folder `film.mp4.segments`.

    Args:
        out: the film that will be written.
        run: what the segments depend on, for JSON: the source, the options, the networks.
    """

    def __init__(self, out: Path, run: Mapping[str, Any]) -> None:
        self.folder = out.with_name(f'{out.name}.segments')
        self._run = json.loads(json.dumps(run))

    @contextmanager
    def opened(self, *, resume: bool) -> Iterator[None]:
        """Holds the folder for this process. resume: keep what is in it, else begin anew.

        Raises UsageError where another process holds it, or where it belongs to a run with other options or another
        source; OutputError where it cannot be written.
        """
        make_folder(self.folder)
        with locked_folder(self.folder):
            if resume and (self.folder / MANIFEST).is_file():
                self._refuse_another_run()
            else:
                self._empty()
                write_bytes(self.folder / MANIFEST, json.dumps(self._run, indent=1).encode())
            self._drop_unfinished()
            yield
        with suppress(OSError):  # it holds segments, or the run's beginning failed
            self.folder.rmdir()

    def finished(self) -> list[Path]:
        """The finished segments from the film's beginning on."""
        paths: list[Path] = []
        while self._path(len(paths)).is_file():
            paths.append(self._path(len(paths)))
        return paths

    @contextmanager
    def writer(self, number: int, encoding: Encoding) -> Iterator[SegmentWriter]:
        """Writes the segment of this number, whole or not at all. Raises OutputError where it cannot be written."""
        with atomic_path(self._path(number)) as temporary, temporary.open('wb') as stream:
            writer = SegmentWriter(stream, encoding)
            yield writer
            writer.finish()

    def remove(self) -> None:
        """Removes all that is in the folder: the film is written. The folder goes when it is not held any more."""
        self._empty()

    def _path(self, number: int) -> Path:
        return self.folder / f'{number:06d}.segment'

    def _refuse_another_run(self) -> None:
        try:
            before = json.loads((self.folder / MANIFEST).read_text(encoding='utf-8'))
        except (OSError, ValueError) as error:
            raise InputError(f'{self.folder}: damaged; remove the folder, or begin anew with --no_resume') from error
        names = sorted(name for name in {*before, *self._run} if before.get(name) != self._run.get(name))
        if names:
            changes = '; '.join(f'{name} was {before.get(name)}, is {self._run.get(name)}' for name in names)
            raise UsageError(
                f'{self.folder}: segments of another run ({changes}): '
                'go on with what it was, or begin anew with --no_resume'
            )

    def _drop_unfinished(self) -> None:
        """Removes what a killed process left, and damaged segments with all behind them."""
        for path in self.folder.glob('.daefr-*.segment'):
            path.unlink()
        paths = self.finished()
        for number, path in enumerate(paths):
            try:
                Segment(path)
            except (InputError, ValueError):
                for later in paths[number:]:
                    later.unlink()
                return

    def _empty(self) -> None:
        try:
            for path in self.folder.iterdir():
                if path.name != LOCK:
                    path.unlink()
        except OSError as error:
            raise OutputError(f'{self.folder}: cannot be emptied: {error.strerror}') from error
