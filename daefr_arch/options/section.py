"""A section of an option file: a class whose fields are its keys, and the errors of what does not fit it.

    class Logger(Section):
        print_freq: PositiveInt
        '''iterations between two lines of the log'''

    Logger.read({'print_freq': '100'}, where=('logger',))
    # OptionError: logger.print_freq: expected integer above 0, got '100' (iterations between two lines of the log)

Types and ranges are pydantic's, strictly: text is no number, 1 is not true. The words below a field are its
description, in errors, in the schema for editors and in the reference.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, TypeVar, get_args, get_origin

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from daefr_arch.errors import InputError
from daefr_arch.options.checks import unknown_key

SectionType = TypeVar('SectionType', bound='Section')


class OptionError(InputError):
    """An option is wrong: `place` says where it stands, `problem` what is wrong, as ': expected ...'."""

    def __init__(self, place: Sequence[Any], problem: str) -> None:
        self.place, self.problem = tuple(place), problem
        super().__init__('.'.join(map(str, place)) + problem if place else f'option file{problem}')


class Section(BaseModel):
    """Base of all sections; an instance holds the values of one, defaults included."""

    instead: ClassVar[Mapping[str, str]] = {}  # keys of other projects that are not here -> what to use
    in_training: ClassVar[bool] = True  # False in the file of a test, which needs nothing of training

    model_config = ConfigDict(
        extra='forbid', strict=True, frozen=True, use_attribute_docstrings=True, protected_namespaces=()
    )

    @classmethod
    def read(cls: type[SectionType], options: Any, where: Sequence[Any] = (), *, closed: bool = True) -> SectionType:
        """The section that `options`, a mapping of an option file, hold.

        Args:
            options: the mapping.
            where: where it stands in the file.
            closed: whether a key that the section does not have is an error; else it is left alone.

        Raises:
            OptionError: the first key that is unknown, has another value than expected, or is missing.
        """
        if not isinstance(options, Mapping):
            raise OptionError(where, f': expected a mapping of options, got {options!r}')
        known = options if closed else _without_unknown(cls, options)
        try:
            return cls.model_validate(dict(known))
        except ValidationError as error:
            raise _option_error(cls, known, where, error) from None


class Holder:
    """Metadata of an annotation that says which section stands there: `Annotated[dict, Holder()]`.

    words: what stands there, for errors and the reference.
    """

    words = 'a mapping'

    def field_section(self) -> type[Section] | None:
        """The section, where it is the same for every value."""
        return None


def holder(field: FieldInfo) -> Holder | None:
    """The Holder of a field's annotation, if there is one."""
    return next((part for part in _parts(field) if isinstance(part, Holder)), None)


def field_section(field: FieldInfo | None) -> type[Section] | None:
    """The section that a field holds, if it holds one."""
    if field is None:
        return None
    held = holder(field)
    if held is not None:
        return held.field_section()
    classes = (part for part in _parts(field) if isinstance(part, type) and issubclass(part, Section))
    return next(classes, None)


def expected(field: FieldInfo) -> str:
    """The values that a field may have, in words, as 'number from 0 to 1 or ~'."""
    held = holder(field)
    if held or field_section(field):
        mapping = held.words if held else Holder.words
        outermost = _arguments(field.annotation)[:2]  # without `| None`
        if held and held not in field.metadata and dict in [get_origin(part) for part in outermost]:
            mapping = f'a mapping: name -> {mapping}'
        return f'{mapping} or ~' if type(None) in _parts(field) else mapping
    return _in_words(TypeAdapter(annotation_of(field)).json_schema())


def annotation_of(field: FieldInfo) -> Any:
    """The annotation that pydantic has taken apart."""
    annotation: Any = field.annotation
    for part in field.metadata:
        annotation = Annotated[annotation, part]
    return annotation


def _parts(field: FieldInfo) -> tuple[Any, ...]:
    """The metadata of a field, its annotation, the arguments of that, and theirs."""
    return (*field.metadata, *_arguments(field.annotation))


def _arguments(annotation: Any) -> tuple[Any, ...]:
    return (annotation, *(part for argument in get_args(annotation) for part in _arguments(argument)))


def _in_words(schema: Mapping[str, Any]) -> str:
    if 'anyOf' in schema:
        return ' or '.join(dict.fromkeys(map(_in_words, schema['anyOf'])))
    if 'enum' in schema or 'const' in schema:
        values = schema.get('enum', [schema.get('const')])
        return ' or '.join(str(value).lower() if isinstance(value, bool) else str(value) for value in values)
    kind = schema.get('type')
    if kind == 'array':
        least, most = schema.get('minItems'), schema.get('maxItems')
        count = f'{least} ' if least and least == most else f'{least} or more ' if least else ''
        items = re.sub(r'^(integer|number)', r'\1s', _in_words(schema.get('items', {})))
        return f'list of {count}{items}'
    names = {'string': 'text', 'boolean': 'true or false', 'null': '~', 'object': 'mapping', None: 'anything'}
    return names.get(kind, str(kind)) + _bounds(schema)


def _bounds(schema: Mapping[str, Any]) -> str:
    low, high = schema.get('minimum'), schema.get('maximum')
    if low is not None and high is not None:
        return f' from {low:g} to {high:g}'
    words = {'minimum': 'of at least', 'exclusiveMinimum': 'above', 'exclusiveMaximum': 'below', 'maximum': 'up to'}
    bounds = [f'{word} {schema[key]:g}' for key, word in words.items() if key in schema]
    bounds += [f'a multiple of {schema["multipleOf"]:g}'] if 'multipleOf' in schema else []
    return ''.join(f' {bound}' for bound in bounds[:1]) + ''.join(f', {bound}' for bound in bounds[1:])


def _without_unknown(section: type[Section], options: Mapping[str, Any]) -> dict[str, Any]:
    known = {}
    for key, value in options.items():
        if key in section.model_fields:
            inner = field_section(section.model_fields[key])
            known[key] = _without_unknown(inner, value) if inner and isinstance(value, Mapping) else value
    return known


def _option_error(
    section: type[Section], options: Mapping[Any, Any], where: Sequence[Any], error: ValidationError
) -> OptionError:
    """The one line for what pydantic has found: unknown keys before wrong values before missing keys."""
    order = {'invalid_key': 0, 'extra_forbidden': 0, 'missing': 2}
    problem = min(error.errors(), key=lambda problem: order.get(problem['type'], 1))
    place: tuple[Any, ...] = problem['loc']
    if problem['type'] == 'value_error':
        cause = problem['ctx']['error']
        if isinstance(cause, OptionError):
            return OptionError((*where, *place, *cause.place), cause.problem)
        return OptionError((*where, *place), f': {cause}')
    depth = 0  # pydantic goes on into lists and unions: the place is the key that holds them
    while (inner := field_section(section.model_fields.get(str(place[depth])))) and len(place) > depth + 1:
        section, options, depth = inner, options[place[depth]], depth + 1
    key = place[depth]
    if problem['type'] in ('extra_forbidden', 'invalid_key'):
        if key in section.instead:
            return OptionError((*where, *place[: depth + 1]), f': {section.instead[key]}')
        return OptionError((*where, *place[:depth]), f': {unknown_key(key, section.model_fields)}')
    field = section.model_fields[key]
    where = (*where, *place[: depth + 1])
    words = f' ({field.description})' if field.description else ''
    if problem['type'] == 'missing':
        return OptionError(where, f' is missing: expected {expected(field)}{words}')
    value = options[key]
    if value is None and field.is_required():
        return OptionError(where, f' is missing: expected {expected(field)}{words}')
    return OptionError(where, f': expected {expected(field)}, got {value!r}{_hint(value)}{words}')


def _hint(value: Any) -> str:
    """YAML 1.1 reads 1e-3 as text: its numbers need a point."""
    if not isinstance(value, str):
        return ''
    try:
        return f', which YAML reads as text: write {float(value)!r}'
    except ValueError:
        return ''
