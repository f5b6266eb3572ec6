"""What there is to write in an option file, section by section: for the pages of documentation and the schema."""

import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml
from pydantic.fields import FieldInfo

from daefr_arch.options.dataset import DATASET, DatasetOptions, IOBackend
from daefr_arch.options.registered import LOSS, METRIC, MODEL, NETWORK, Arguments, Registered
from daefr_arch.options.run_file import (
    OPTIMISER,
    SCHEDULER,
    BasicSRFile,
    DistParams,
    LoggerOptions,
    OptionFile,
    PathOptions,
    TrainOptions,
    ValOptions,
    Wandb,
)
from daefr_arch.options.section import Section, expected, field_section, holder
from daefr_arch.options.signature import OWN


@dataclass(frozen=True)
class Key:
    """A key of a section: its type in words, its default as a file has it ('' where it is required), what it does."""

    name: str
    type: str
    default: str
    words: str

    @property
    def required(self) -> bool:
        return not self.default


@dataclass(frozen=True)
class ReferenceSection:
    """A section: the class whose keys they are, where it stands in a file ('' for the top), what it is for."""

    name: str
    place: str
    words: str
    keys: tuple[Key, ...]


def sections() -> list[ReferenceSection]:
    """Every section, in the order of a file."""
    return [
        _section(BasicSRFile, ''),
        *_of_models(''),
        _section(DatasetOptions, 'datasets.<phase>'),
        *_registered(DATASET, 'datasets.<phase>', besides=DatasetOptions),
        _section(IOBackend, 'datasets.<phase>.io_backend'),
        *_registered(NETWORK, 'network_<label>'),
        _section(PathOptions, 'path'),
        *_of_models('path', besides=PathOptions),
        _section(TrainOptions, 'train'),
        *_of_models('train', besides=TrainOptions),
        *_registered(OPTIMISER, 'train.optim_<label>'),
        *_registered(SCHEDULER, 'train.scheduler'),
        *_registered(LOSS, 'train.<name>_opt'),
        *(_section(arguments.section, place) for place, arguments in argument_sections().items()),
        _section(ValOptions, 'val'),
        *_of_models('val', besides=ValOptions),
        *_registered(METRIC, 'val.metrics.<name>'),
        _section(LoggerOptions, 'logger'),
        _section(Wandb, 'logger.wandb'),
        _section(DistParams, 'dist_params'),
    ]


def files() -> list[tuple[str, type[OptionFile]]]:
    """Name and file section of this package's models."""
    return [(name, model.Options) for name, model in MODEL.classes(OWN)]


def argument_sections() -> dict[str, Arguments]:
    """Places of `train` and of datasets whose section are the arguments of a class."""
    trains = (('train', _inner(file, 'train')) for _, file in files())
    datasets = (('datasets.<phase>', DATASET.section(item)[0]) for _, item in DATASET.classes(OWN))
    fields = ((f'{place}.{key}', field) for place, of in (*trains, *datasets) for key, field in of.model_fields.items())
    found = ((place, holder(field)) for place, field in fields)
    return {place: arguments for place, arguments in found if isinstance(arguments, Arguments)}


def _inner(file: type[Section], key: str) -> type[Section]:
    section = field_section(file.model_fields[key])
    assert section is not None
    return section


def _of_models(place: str, *, besides: type[Section] = OptionFile) -> Iterator[ReferenceSection]:
    """What each model adds to `besides`, which stands at `place`."""
    for name, file in files():
        section = _section(_inner(file, place) if place else file, place, besides=besides, name=name)
        if section.keys:
            yield section


def _registered(
    registered: Registered, place: str, *, besides: type[Section] | None = None
) -> Iterator[ReferenceSection]:
    for name, item in registered.classes(OWN):
        yield _section(registered.section(item)[0], place, besides=besides, name=name)


def _section(
    section: type[Section], place: str, *, besides: type[Section] | None = None, name: str | None = None
) -> ReferenceSection:
    """`besides`: a base whose keys are left out, where they are the same."""
    known = besides.model_fields if besides else {}
    keys = [_key(key, field) for key, field in section.model_fields.items() if key not in known]
    return ReferenceSection(name or section.__name__, place, inspect.getdoc(section) or '', tuple(keys))


def _key(name: str, field: FieldInfo) -> Key:
    default = '' if field.is_required() else _shown(field.default)
    return Key(name, expected(field), default, field.description or '')


def _shown(value: Any) -> str:
    """A value as a file has it, in one line."""
    if isinstance(value, Section):
        return _shown(value.model_dump())
    if isinstance(value, float):
        return f'{value:g}'
    text = yaml.safe_dump(list(value) if isinstance(value, tuple) else value, default_flow_style=True, width=1000)
    return text.removesuffix('\n').removesuffix('\n...').replace('null', '~')
