"""Where a photo comes from: a file, or a page of one."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from daefr_arch.io.image_file import page_count


@dataclass(frozen=True)
class PhotoSource:
    """A photo of the input.

    path: its file. page: counted from 1, None in a file that holds one photo.
    """

    path: Path
    page: int | None = None

    @property
    def name(self) -> Path:
        """What its results are named after: the file, or for the second page of scan.tif beside it scan_p002.tif."""
        if self.page is None:
            return self.path
        return self.path.with_name(f'{self.path.stem}_p{self.page:03d}{self.path.suffix}')

    @property
    def key(self) -> tuple[str, int | None]:
        """By which the lines of a report know it, wherever its folder lies."""
        return self.path.name, self.page

    def __str__(self) -> str:
        return str(self.path) if self.page is None else f'{self.path}, page {self.page}'


def photo_sources(files: Iterable[Path | PhotoSource]) -> list[PhotoSource]:
    """The photos of the files, in their order: every page of a TIFF file is one."""
    return [photo for file in files for photo in ([file] if isinstance(file, PhotoSource) else _photos_of(file))]


def _photos_of(file: Path) -> list[PhotoSource]:
    pages = page_count(file)
    return [PhotoSource(file)] if pages == 1 else [PhotoSource(file, page) for page in range(1, pages + 1)]
