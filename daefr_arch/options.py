"""Checks of option dictionaries: an unknown key is an error that names the nearest valid one."""

import difflib
from collections.abc import Collection, Iterable

from daefr_arch.errors import InputError


def check_keys(given: Iterable[str], valid: Collection[str], where: str) -> None:
    """Raises InputError for the first key of `given` that is not in `valid`.

    Args:
        given: the keys of an option dictionary (or the dictionary itself).
        valid: every key that is understood there.
        where: what the options belong to, for the message, as 'datasets.train'.
    """
    for key in given:
        if key not in valid:
            nearest = difflib.get_close_matches(str(key), sorted(valid), n=1, cutoff=0.0)
            suggestion = f'; did you mean {nearest[0]!r}?' if nearest else ''
            raise InputError(f'{where}: unknown option {key!r}{suggestion} Valid: {", ".join(sorted(valid))}.')
