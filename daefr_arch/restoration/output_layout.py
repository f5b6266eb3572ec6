"""Names of the files that are written for a photo, in CodeFormer's or GFPGAN's folders; what forbids writing them."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from daefr_arch.choices import LAYOUTS
from daefr_arch.errors import UsageError
from daefr_arch.io.atomic_file import make_folder
from daefr_arch.io.image_encoding import WRITABLE


@dataclass(frozen=True)
class OutputLayout:
    """The outputs of a run.

    Args:
        root: folder that holds the folders below.
        style: 'codeformer' (cropped_faces, restored_faces, final_results) or 'gfpgan' (cropped_faces, restored_faces,
            cmp: crop and restored face side by side, restored_imgs).
        has_aligned: the inputs are aligned faces; there is no whole photo to write.
        extension: of the whole photo: 'png', 'jpg', 'webp', or 'auto', that of the input where it is one of them and
            png otherwise. Faces are always png.
        suffix: appended to the names of restored faces and photos after an underscore.
        evidence_maps: also write pictures of what is evidence in each face, to a folder of that name.
    """

    root: Path
    style: str = 'codeformer'
    has_aligned: bool = False
    extension: str = 'auto'
    suffix: str | None = None
    evidence_maps: bool = False

    def __post_init__(self) -> None:
        if self.style not in LAYOUTS:
            raise UsageError(f'layout: expected one of {", ".join(LAYOUTS)}, got {self.style!r}')
        if self.suffix is not None and Path(f'_{self.suffix}').name != f'_{self.suffix}':
            raise UsageError(f'suffix: expected a part of a file name, got {self.suffix!r}')

    @property
    def folders(self) -> list[Path]:
        """The folders that this run writes to."""
        folders = [self.root / 'restored_faces']
        if not self._codeformer:
            folders += [self.root / 'cropped_faces', self.root / 'cmp']
        elif not self.has_aligned:
            folders.append(self.root / 'cropped_faces')
        if self.evidence_maps:
            folders.append(self.root / 'evidence_maps')
        return folders if self.has_aligned else [*folders, self._photos]

    def photo(self, source: Path) -> Path | None:
        """The whole photo; None for aligned faces."""
        if self.has_aligned:
            return None
        extension = f'.{self.extension}'
        if self.extension == 'auto':
            extension = source.suffix if source.suffix.lower() in WRITABLE else '.png'
        return self._photos / f'{source.stem}{self._ending}{extension}'

    def restored_face(self, source: Path, index: int) -> Path:
        """The restored face number `index`."""
        return self.root / 'restored_faces' / f'{self._face(source, index)}{self._ending}.png'

    def cropped_face(self, source: Path, index: int) -> Path | None:
        """The aligned input face; None where CodeFormer does not write it: the input is that face."""
        if self._codeformer and self.has_aligned:
            return None
        return self.root / 'cropped_faces' / f'{self._face(source, index)}.png'

    def comparison(self, source: Path, index: int) -> Path | None:
        """Crop and restored face side by side; None in CodeFormer's layout."""
        return None if self._codeformer else self.root / 'cmp' / f'{self._face(source, index)}.png'

    def evidence_map(self, source: Path, index: int) -> Path:
        """The picture of what is evidence in the restored face number `index`."""
        return self.root / 'evidence_maps' / f'{self._face(source, index)}{self._ending}.png'

    def is_face_of(self, source: Path, file: Path) -> bool:
        """Whether the file is named as one of a face of this photo, whatever the face's number."""
        number = re.fullmatch(rf'{re.escape(source.stem)}_(\d+).*', file.stem)
        if number is None:
            return False
        index = int(number[1])
        named = (self.restored_face, self.cropped_face, self.comparison, self.evidence_map)
        return file in {name(source, index) for name in named}

    def result(self, source: Path) -> Path:
        """The file that is written last: it exists when the photo is done."""
        return self.photo(source) or self.restored_face(source, 0)

    @property
    def _codeformer(self) -> bool:
        return self.style == 'codeformer'

    @property
    def _photos(self) -> Path:
        return self.root / ('final_results' if self._codeformer else 'restored_imgs')

    @property
    def _ending(self) -> str:
        return f'_{self.suffix}' if self.suffix else ''

    def _face(self, source: Path, index: int) -> str:
        return source.stem if self._codeformer and self.has_aligned else f'{source.stem}_{index:02d}'


def check_names(results: Mapping[Path, Sequence[Path]]) -> None:
    """Checks the results of every source, before any is written.

    Raises:
        UsageError: two sources would write one file, or a result would replace a source.
    """
    source_of: dict[Path, Path] = {}
    inputs = {source.resolve() for source in results}
    for source, files in results.items():
        for file in files:
            other = source_of.setdefault(file, source)
            if other is not source:
                names = ', '.join(dict.fromkeys(result.name for result in files))
                raise UsageError(
                    f'{other} and {source} would write the same names ({names}): rename one or run them apart'
                )
            if file.resolve() in inputs:
                raise UsageError(f'{file} would replace an input: choose another --output')


def refuse_existing(results: Iterable[Path], remedies: str) -> None:
    """Raises UsageError where results exist. remedies: the arguments that the message advises."""
    existing = sorted(result for result in results if result.exists())
    if existing:
        raise UsageError(f'{len(existing)} results exist, such as {existing[0]}: use {remedies}')


def make_folders(layout: OutputLayout) -> None:
    """Makes the output folders.

    Raises:
        OutputError: one cannot be made.
    """
    for folder in layout.folders:
        make_folder(folder)
