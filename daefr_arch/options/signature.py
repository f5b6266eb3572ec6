"""Sections of classes and functions that take their options as arguments: read from signature and docstring."""

import inspect
import re
import typing
from collections.abc import Callable, Collection
from functools import cache
from typing import Any

from pydantic import Field, create_model

from daefr_arch.options.section import Section

OWN, BASICSR = 'daefr_arch.', 'basicsr.'


@cache
def signature_section(
    function: Callable, *, given: tuple[str, ...] = (), base: type[Section] = Section
) -> type[Section]:
    """The section whose keys are the arguments of `function`, and of what gets its **kwargs: its parents' constructors.

    Types are this package's annotations, or those of BasicSR's defaults; values for other packages are not checked.

    Args:
        function: a class or a function.
        given: arguments that the caller adds.
        base: has the keys besides.
    """
    fields: dict[str, Any] = {}
    sources = _sources(function)
    for source in sources:
        hints, words = _hints(source), argument_words(source)
        for name, parameter in inspect.signature(source).parameters.items():
            if name in fields or name in given or parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
                continue
            default = parameter.default
            if default is parameter.empty:  # what a parent needs its child may give
                default = ... if source is sources[0] else None
            fields[name] = (hints.get(name, Any), Field(default, description=words.get(name)))
    doc = (inspect.getdoc(function) or '').partition('\n\n')[0]
    return create_model(function.__name__, __base__=base, __doc__=doc, **fields)


def is_closed(function: Callable) -> bool:
    """Whether signatures name every key. BasicSR's own **kwargs swallow what they do not know: mistyped keys."""
    last = _sources(function)[-1]
    return last.__module__.startswith(BASICSR) or not _takes_more(last)


def _takes_more(function: Callable) -> bool:
    kinds = (parameter.kind for parameter in inspect.signature(function).parameters.values())
    return inspect.Parameter.VAR_KEYWORD in kinds


def _sources(function: Callable) -> list[Callable]:
    """What the keys are arguments of: a function; of a class, the classes whose constructors it goes through."""
    if not isinstance(function, type):
        return [function]
    sources: list[Callable] = []
    for cls in function.__mro__:
        if '__init__' in vars(cls) and cls.__module__ not in ('builtins', 'torch.nn.modules.module'):
            sources.append(cls)
            if not _takes_more(cls):
                break
    return sources or [function]


def _hints(function: Callable) -> dict[str, Any]:
    if function.__module__.startswith(OWN):
        constructor = typing.cast(Any, function).__init__ if isinstance(function, type) else function
        return typing.get_type_hints(constructor, include_extras=True)
    if not function.__module__.startswith(BASICSR):
        return {}
    kinds = {bool: bool, int: float, float: float, str: str}
    parameters = inspect.signature(function).parameters
    return {name: kinds.get(type(parameter.default), Any) for name, parameter in parameters.items()}


def argument_words(function: Callable) -> dict[str, str]:
    """Argument -> what the Args section of the docstring says of it; `a, b: words` and `a (int): words` too."""
    names: Collection[str] = inspect.signature(function).parameters
    words: dict[str, str] = {}
    current: list[str] = []
    for line in (inspect.getdoc(function) or '').partition('Args:\n')[2].splitlines():
        entry = re.match(r' +(\w+(?:, \w+)*)(?: \([^)]*\))?: (.*)', line)
        if line and not line.startswith(' '):
            break
        if entry and set(entry[1].split(', ')) <= set(names):
            current, line = entry[1].split(', '), entry[2]
        for name in current:
            words[name] = f'{words.get(name, "")} {line.strip()}'.strip()
    return words
