"""What the report says of earlier runs into a folder: which photos are done, and which files are theirs."""

from pathlib import Path
from typing import Any

from daefr_arch.errors import UsageError
from daefr_arch.io.json_lines import read_json_lines
from daefr_arch.restoration.output_layout import OutputLayout
from daefr_arch.restoration.photo_source import PhotoSource


def read_report(path: str | Path) -> list[dict[str, Any]]:
    """The newest line of each photo of a report, in the order in which the photos came first.

    Every run appends to the report; a photo that was restored again has a line of each time, and the last one counts.

    Raises:
        OSError: the file cannot be read.

    Example:
        statuses = {line['input']: line['status'] for line in read_report('results/report.jsonl')}
    """
    return list({(line.get('input'), line.get('page')): line for line in read_json_lines(path)}.values())


class EarlierRuns:
    """The results of a folder, by its report. Photos are known by file name and page, as their results are.

    layout: of the run that is to come. report: its report, which need not be there yet.
    """

    def __init__(self, layout: OutputLayout, report: Path) -> None:
        self._layout = layout
        self._newest: dict[tuple[str, int | None], dict[str, Any]] = {}
        self._outputs: dict[tuple[str, int | None], dict[str, list[str]]] = {}
        for line in read_json_lines(report):
            key = Path(str(line.get('input'))).name, line.get('page')
            self._newest[key] = {name: line.get(name) for name in ('input', 'outputs')}
            if line.get('outputs'):  # a photo that failed again keeps the files of the time before
                self._outputs[key] = line['outputs']

    def is_done(self, photo: PhotoSource) -> bool:
        """Whether the newest line of the photo names its result, and all files that it names are there.

        Raises:
            UsageError: they are there, but of another photo of that name.
        """
        line = self._newest.get(photo.key)
        files = self._files(line['outputs'] or {}) if line else set()
        if line is None or self._layout.result(photo.name) not in files or not all(file.exists() for file in files):
            return False
        other = Path(line['input'])
        if other.exists() and photo.path.exists() and not other.samefile(photo.path):
            raise UsageError(
                f'{self._layout.result(photo.name)} is the result of {other}, not of {photo}: use --output'
            )
        return True

    def surplus_faces(self, photo: PhotoSource, written: set[Path]) -> list[Path]:
        """Files of the photo's faces that an earlier run wrote, and this one, which found fewer, does not."""
        earlier = self._files(self._outputs.get(photo.key, {}))
        return [file for file in earlier - written if self._layout.is_face_of(photo.name, file)]

    def _files(self, outputs: dict[str, list[str]]) -> set[Path]:
        """By folder and name: the results may have been moved, or been written from another working folder."""
        return {self._layout.root.joinpath(*Path(file).parts[-2:]) for files in outputs.values() for file in files}
