"""The options of a run, read and checked before anything is created."""

from collections.abc import Mapping
from functools import cache
from typing import Any, cast

import torch
from pydantic import Field, create_model

from daefr_arch.options.checks import did_you_mean
from daefr_arch.options.dataset import DATASET, DatasetOptions
from daefr_arch.options.registered import MODEL, NETWORK, declared
from daefr_arch.options.run_file import BasicSRFile, LoggerOptions, OptionFile
from daefr_arch.options.section import OptionError, Section, annotation_of, field_section
from daefr_arch.options.signature import OWN

# what BasicSR's parser and trainer write into the options of the file
ADDED = frozenset(
    {'dist', 'rank', 'world_size', 'root_path', 'auto_resume', 'is_train', 'seed_is_drawn', 'resumption', 'epochs'}
)
ADDED_PATHS = frozenset({'experiments_root', 'results_root', 'models', 'training_states', 'log', 'visualization'})
PHASES = {True: ('train', 'val'), False: ('test', 'val')}  # of training, of a test


def check_run_options(opt: Mapping[str, Any], *, is_train: bool) -> BasicSRFile:
    """Checks keys, values and what must fit together; returns the options.

    Models, datasets and losses of other packages have only those of their keys checked that they declare.

    Raises:
        OptionError: the place of the first wrong option, what was expected, and what came.
    """
    options = read_run_options(opt, is_train=is_train)
    _check_phases(options, is_train)
    if is_train and options.val and options.val.val_freq is None:
        raise OptionError(('val', 'val_freq'), ' is missing: training validates every val_freq iterations')
    networks = {key: getattr(options, key) for key in type(options).model_fields if key.startswith('network_')}
    if isinstance(options, OptionFile):
        for key in options.path.ignore_resume_networks or ():
            if networks and key not in networks:
                suggestion = did_you_mean(key, networks)
                raise OptionError(('path', 'ignore_resume_networks'), f': there is no {key!r} in this file{suggestion}')
    for key, network in networks.items():
        if network:
            _check_network(key, network)
            _check_sizes(key, network, options.datasets)
    return options


def read_run_options(opt: Mapping[str, Any], *, is_train: bool) -> BasicSRFile:
    """The options of a file, or those that BasicSR has made of it, as the section that the file's model declares.

    Raises:
        OptionError: an unknown key, a wrong value or a missing key.
    """
    given = {key: value for key, value in opt.items() if key not in ADDED}
    if isinstance(given.get('path'), Mapping):
        given['path'] = {key: value for key, value in given['path'].items() if key not in ADDED_PATHS}
    section, closed = BasicSRFile, False
    if 'model_type' in given:
        model = MODEL.find(given['model_type'], 'model_type')
        section, closed = cast(tuple[type[BasicSRFile], bool], declared(model, BasicSRFile))
    return (section if is_train else for_testing(section)).read(given, closed=closed)


@cache
def for_testing(section: type[BasicSRFile]) -> type[BasicSRFile]:
    """The same section, which asks for nothing that only training needs."""
    changes: dict[str, Any] = {'logger': (LoggerOptions | None, None)}
    if issubclass(section, OptionFile):
        train = cast(type[Section], section.model_fields['train'].annotation)
        changes['train'] = (_optional(train), _optional(train)())
        path = cast(type[Section], field_section(section.model_fields['path']))
        changes['path'] = (_optional(path), ...)
    return create_model(section.__name__, __base__=section, **changes)


@cache
def _optional(section: type[Section]) -> type[Section]:
    fields: dict[str, Any] = {
        name: (annotation_of(field), Field(None, description=field.description))
        for name, field in section.model_fields.items()
        if field.is_required()
    }
    optional = create_model(section.__name__, __base__=section, **fields)
    optional.in_training = False
    return optional


def _check_phases(options: BasicSRFile, is_train: bool) -> None:
    names: dict[str, str] = {}
    for phase, dataset in options.datasets.items():
        kinds = PHASES[is_train]
        if phase.split('_')[0] not in kinds or (phase != 'train' and phase.startswith('train')):
            raise OptionError(('datasets', phase), f': expected {", ".join(kinds)} or {kinds[-1]}_<name>')
        other = names.setdefault(dataset['name'], phase)
        if other != phase and 'train' not in (phase, other):
            raise OptionError(
                ('datasets', phase, 'name'),
                f': expected another one than that of datasets.{other}, got {dataset["name"]!r} for both',
            )
    if is_train:
        _check_training_set(options.datasets)


def _check_training_set(datasets: Mapping[str, Any]) -> None:
    if 'train' not in datasets:
        raise OptionError(('datasets', 'train'), ' is missing: the images to train on')
    for key in ('batch_size_per_gpu', 'num_worker_per_gpu'):
        if key not in datasets['train']:
            words = DatasetOptions.model_fields[key].description
            raise OptionError(('datasets', 'train', key), f' is missing: {words}')


def _check_network(key: str, options: Mapping[str, Any]) -> None:
    """Builds a network of this package without memory: what its constructor refuses is found before anything starts."""
    network = NETWORK.find(options['type'])
    if not network.__module__.startswith(OWN):
        return
    try:
        with torch.device('meta'):
            network(**{name: value for name, value in options.items() if name != 'type'})
    except (ValueError, TypeError, RuntimeError) as error:
        raise OptionError((key,), f': {options["type"]} cannot be built: {error}') from error


def _check_sizes(key: str, network: Mapping[str, Any], datasets: Mapping[str, Any]) -> None:
    resolution = getattr(NETWORK.read(network), 'resolution', None)
    for phase, dataset in datasets.items():
        size = getattr(DATASET.read(dataset), 'gt_size', None)
        if resolution and size and size != resolution:
            raise OptionError(
                ('datasets', phase, 'gt_size'), f': expected {resolution}, the resolution of {key}, got {size}'
            )
