"""Finds the ground truth of every result by its file name."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from daefr_arch.errors import InputError

FACE_SUFFIX = '_00'  # CodeFormer and GFPGAN number the faces of a photo: name_00.png is the first
SHOWN = 10


def pair_by_name(results: Sequence[Path], truths: Sequence[Path]) -> list[tuple[Path, Path]]:
    """Pairs results with ground truths of the same stem; `name_00` of a restored face is paired with `name`.

    Args:
        results: Image files, of one folder.
        truths: Image files, of one folder; the extensions of both may differ.

    Returns:
        (result, ground truth), sorted by the name of the ground truth.

    Raises:
        InputError: names every result without ground truth, ground truth without result, and name with two files.

    Example:
        >>> pair_by_name([Path('out/a_00.png'), Path('out/b.png')], [Path('gt/a.jpg'), Path('gt/b.jpg')])[0]
        (PosixPath('out/a_00.png'), PosixPath('gt/a.jpg'))
    """
    truth_of = _by_stem(truths, 'ground truths')
    result_of: dict[str, Path] = {}
    extra, twice = [], []
    for result in results:
        name = _name_of(result.stem, truth_of)
        if name is None:
            extra.append(result.name)
        elif name in result_of:
            twice.append(f'{result_of[name].name} and {result.name}')
        else:
            result_of[name] = result
    missing = [truth.name for name, truth in truth_of.items() if name not in result_of]
    problems = [
        f'{len(files)} {what}: {_listed(files)}'
        for what, files in (
            ('results without ground truth', extra),
            ('ground truths without result', missing),
            ('ground truths with two results', twice),
        )
        if files
    ]
    if problems:
        raise InputError('results and ground truths do not pair by file name; ' + '; '.join(problems))
    return [(result_of[name], truth_of[name]) for name in sorted(truth_of)]


def _name_of(stem: str, truth_of: dict[str, Path]) -> str | None:
    if stem in truth_of:
        return stem
    name = stem.removesuffix(FACE_SUFFIX)
    return name if name in truth_of else None


def _by_stem(files: Sequence[Path], what: str) -> dict[str, Path]:
    twice = [stem for stem, count in Counter(file.stem for file in files).items() if count > 1]
    if twice:
        raise InputError(f'{what} with the same name but another extension: {_listed(sorted(twice))}')
    return {file.stem: file for file in files}


def _listed(names: Sequence[str]) -> str:
    more = f' and {len(names) - SHOWN} more' if len(names) > SHOWN else ''
    return ', '.join(names[:SHOWN]) + more
