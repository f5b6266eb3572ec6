"""Checks of names and keys: an unknown one is an error that names the nearest valid one."""

import difflib
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from daefr_arch.errors import InputError


def did_you_mean(name: Any, valid: Collection[str], *, cutoff: float = 0.0) -> str:
    """`; did you mean 'gt_size'?` for a mistyped name, '' where nothing is near enough."""
    nearest = difflib.get_close_matches(str(name), sorted(valid), n=1, cutoff=cutoff)
    return f'; did you mean {nearest[0]!r}?' if nearest else ''


def check_keys(given: Iterable[str], valid: Collection[str], where: str) -> None:
    """Raises InputError for the first key of `given` that is not in `valid`.

    Args:
        given: the keys of an option dictionary (or the dictionary itself).
        valid: every key that is understood there.
        where: what the options belong to, for the message, as 'datasets.train'.
    """
    for key in given:
        if key not in valid:
            raise InputError(f'{where}: {unknown_key(key, valid)}')


def unknown_key(key: Any, valid: Collection[str]) -> str:
    """What is wrong with a key that is not among the `valid` ones."""
    return f'unknown option {key!r}{did_you_mean(key, valid)} Valid: {", ".join(sorted(valid))}.'


def first_difference(old: Any, new: Any, place: str = '') -> str | None:
    """Where two option dictionaries first differ, as 'train.total_iter was 5 and is 100'; None if they are equal."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in dict.fromkeys((*old, *new)):
            difference = first_difference(old.get(key), new.get(key), f'{place}.{key}' if place else str(key))
            if difference:
                return difference
        return None
    return None if old == new else f'{place} was {old!r:.200} and is {new!r:.200}'
