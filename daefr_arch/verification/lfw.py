"""LFW's layout of faces and pairs (Huang et al. 2007), which other verification sets have taken over."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from daefr_arch.errors import InputError
from daefr_arch.io.image_formats import readable_extensions


@dataclass(frozen=True)
class FacePair:
    """Two images, as (person, number), whether they show one person, and the fold that the pair belongs to."""

    first: tuple[str, int]
    second: tuple[str, int]
    fold: int

    @property
    def same(self) -> bool:
        """Whether both are of one person."""
        return self.first[0] == self.second[0]


def read_pairs(path: str | Path) -> list[FacePair]:
    """The pairs of a pairs.txt: a line `folds pairs`, then for each fold as many matched and as many mismatched pairs.

    Fields are separated by tabs or spaces; blanks around them and a byte order mark are passed over.
    Matched: `name 1 4`; mismatched: `name 3 other 2`.

    Raises:
        InputError: no such file, or a line that is neither; the message names the line.
    """
    try:
        lines = Path(path).read_text(encoding='utf-8-sig').splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f'{path}: cannot be read as a pairs file: {error}') from error
    header = lines[0].split() if lines else []
    if len(header) != 2 or not all(word.isdigit() and int(word) > 0 for word in header):
        raise InputError(f'{path}: line 1: expected the number of folds and of pairs, as `10 300`, got {lines[:1]}')
    folds, count = map(int, header)
    body = [(number, line) for number, line in enumerate(lines[1:], 2) if line.strip()]
    if len(body) != 2 * folds * count:
        raise InputError(
            f'{path}: expected {folds} folds of 2 x {count} pairs, {2 * folds * count} lines, got {len(body)}'
        )
    pairs = []
    for index, (number, line) in enumerate(body):
        pair = _parse(line, fold=index // (2 * count))
        matched = index % (2 * count) < count
        if pair is None or pair.same != matched:
            expected = '`name 1 4`' if matched else '`name 3 other 2`'
            raise InputError(f'{path}: line {number}: expected a pair as {expected}, got {line!r}')
        pairs.append(pair)
    return pairs


def find_faces(folder: str | Path, pairs: Sequence[FacePair]) -> dict[tuple[str, int], Path]:
    """(person, number) of every image of `pairs`, sorted -> its file, as `find_face`."""
    faces = sorted({face for pair in pairs for face in (pair.first, pair.second)})
    return {face: find_face(folder, *face) for face in faces}


def find_face(folder: str | Path, person: str, number: int) -> Path:
    """The file person/person_0001.* of a folder, with an extension of an image that is read, in any case.

    Raises:
        InputError: there is none.
    """
    stem = f'{person}_{number:04d}'
    files = sorted(Path(folder, person).glob('*.*'))
    extensions = readable_extensions()
    found = next((file for file in files if file.stem == stem and file.suffix.lower() in extensions), None)
    if found is None:
        raise InputError(f'{Path(folder, person, stem)}: no image of that name, with one of {", ".join(extensions)}')
    return found


def _parse(line: str, *, fold: int) -> FacePair | None:
    words = [word.strip() for word in line.strip().split('\t')] if '\t' in line.strip() else line.split()
    if len(words) == 3 and words[1].isdigit() and words[2].isdigit():
        return FacePair((words[0], int(words[1])), (words[0], int(words[2])), fold)
    if len(words) == 4 and words[1].isdigit() and words[3].isdigit():
        return FacePair((words[0], int(words[1])), (words[2], int(words[3])), fold)
    return None
