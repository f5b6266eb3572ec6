"""A hook of MkDocs: puts the tables of all options, read from the code, in place of the marker of options.md.

What a section understands is what the check of option files lets pass: the signature of a registered network, loss,
dataset or metric, a dataclass, or the keys that a model names. Its words are the docstring's.
"""

import dataclasses
import inspect
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import daefr_arch  # repairs basicsr, which cannot be imported before it

# isort: split
import torch
import yaml
from basicsr.utils.registry import ARCH_REGISTRY, LOSS_REGISTRY, METRIC_REGISTRY, MODEL_REGISTRY

from daefr_arch.data import degradation, degradation_dataset
from daefr_arch.models.base import BASE_TRAIN_KEYS
from daefr_arch.models.codebook_updates import CodebookUpdates
from daefr_arch.options import run_options

MARKER = '<!-- options -->'
OPTIONS = Path(__file__).parent.parent / 'options'
# a stage's model -> the option file that has the paper's settings of it
STAGES = {
    'DAEFRCodebookModel': 'train/stage1_hq.yml',
    'DAEFRAssociationModel': 'train/stage2_association.yml',
    'DAEFRRestorationModel': 'train/stage3_restoration.yml',
    'DAEFRControlModel': 'train/control.yml',
}


@dataclasses.dataclass(frozen=True)
class Option:
    """A key of an option file; type and default are empty where the code states none."""

    key: str
    type: str = ''
    default: str = ''
    words: str = ''


@dataclasses.dataclass(frozen=True)
class Section:
    """A mapping of an option file, what it is for, and its keys."""

    title: str
    words: str
    options: list[Option]


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Called by MkDocs for every page."""
    return markdown.replace(MARKER, '\n\n'.join(map(_to_markdown, reference()))) if MARKER in markdown else markdown


def reference() -> list[Section]:
    """Every section of an option file, in the order of the page."""
    return [*_run_sections(), *_train_sections(), *_registered_sections()]


def _run_sections() -> Iterator[Section]:
    top = (*run_options.RUN_KEYS, *run_options.TRAIN_RUN_KEYS)
    yield Section('The file itself', '`network_<label>` besides: see the networks below.', _from_file(top))
    dataset = degradation_dataset.DAEFRDegradationDataset
    ranges = _signature_options(degradation.DegradationRanges)
    own = _documented(degradation_dataset.OWN_KEYS, _argument_words(dataset, degradation_dataset.OWN_KEYS))
    loader = _from_file(degradation_dataset.LOADER_KEYS, 'datasets', 'train')
    yield Section('`datasets.<phase>`: DAEFRDegradationDataset', _summary(dataset), own)
    yield Section('`datasets.<phase>`: the ranges of Eq. 8', _summary(degradation.DegradationRanges), ranges)
    yield Section('`datasets.<phase>`: the loader', "BasicSR's keys.", loader)
    yield Section('`val`', '', _from_file(run_options.VAL_KEYS, 'val'))
    yield Section('`logger`', '', _from_file(run_options.LOGGER_KEYS, 'logger'))


def _train_sections() -> Iterator[Section]:
    yield Section('`train` of every stage', '', _from_file(BASE_TRAIN_KEYS, 'train'))
    for name, file in STAGES.items():
        model = MODEL_REGISTRY.get(name)
        yield Section(f'`train` of {name}', _summary(model), _from_file(model.train_keys, 'train', file=file))
        path = ('resume_state', *model.path_keys)
        yield Section(f'`path` of {name}', f'As in `options/{file}`.', _from_file(path, 'path', file=file))
    adam = _signature_options(torch.optim.Adam, without=('params',))
    yield Section('`train.optim_<label>`: Adam', "PyTorch's. BasicSR knows no other.", adam)
    for name in ('MultiStepLR', 'CosineAnnealingRestartLR'):
        scheduler = run_options.SCHEDULERS[name]
        options = _signature_options(scheduler, without=('optimizer', 'last_epoch'))
        yield Section(f'`train.scheduler`: {name}', _summary(scheduler), options)
    yield Section(
        '`train.codebook_opt`', _summary(CodebookUpdates), _signature_options(CodebookUpdates, without=('codebook',))
    )


def _registered_sections() -> Iterator[Section]:
    for registry, place, without in (
        (ARCH_REGISTRY, '`network_<label>`', ()),
        (LOSS_REGISTRY, '`train.<name>_opt`', ()),
        (METRIC_REGISTRY, '`val.metrics.<name>`', ('img', 'img2')),
    ):
        for name, item in registry:
            if item.__module__.startswith(daefr_arch.__name__):
                yield Section(f'{place}: {name}', _summary(item), _signature_options(item, without=without))


def _signature_options(function: Callable, without: Collection[str] = ()) -> list[Option]:
    parameters = {
        name: parameter
        for name, parameter in inspect.signature(function).parameters.items()
        if name not in without and parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    }
    ours = function.__module__.startswith(daefr_arch.__name__)
    words = _argument_words(function, parameters) | _field_words(function) if ours else {}
    return [
        Option(
            name,
            '' if parameter.annotation is parameter.empty else _type_name(parameter.annotation),
            'required' if parameter.default is parameter.empty else _shown(parameter.default),
            words.get(name, ''),
        )
        for name, parameter in parameters.items()
    ]


def _type_name(annotation: Any) -> str:
    return re.sub(r'\b[\w.]+\.(\w+)', r'\1', inspect.formatannotation(annotation))


def _documented(keys: Collection[str], words: Mapping[str, str]) -> list[Option]:
    return [Option(key, words=words.get(key, '')) for key in keys]


def _from_file(keys: Collection[str], *place: str, file: str = 'train/stage1_hq.yml') -> list[Option]:
    """Keys whose type and default no signature states: with the value of an option file, and the comment beside it."""
    text = (OPTIONS / file).read_text(encoding='utf-8')
    section = yaml.safe_load(text)
    for name in place:
        section = section[name]
    indent = '  ' * len(place)
    options = []
    for key in keys:
        comment = re.search(rf'^{indent}{key}:[^#\n]*#\s*(.*)$', text, re.MULTILINE)
        value = section.get(key)
        default = '' if key not in section else 'a mapping' if isinstance(value, Mapping) else _shown(value)
        options.append(Option(key, default=default, words=comment[1] if comment else ''))
    return options


def _shown(value: Any) -> str:
    """A value as an option file has it, in one line."""
    if isinstance(value, float):
        return f'{value:g}'
    text = yaml.safe_dump(list(value) if isinstance(value, tuple) else value, default_flow_style=True, width=1000)
    return text.removesuffix('\n').removesuffix('\n...').replace('null', '~')


def _argument_words(function: Callable, keys: Collection[str]) -> dict[str, str]:
    """Key -> what the Args section of the docstring says of it; `a, b: words` and `a (int): words` are understood."""
    words: dict[str, str] = {}
    names: list[str] = []
    indent = 0
    for line in (inspect.getdoc(function) or '').partition('Args:')[2].splitlines():
        entry = re.match(r'( +)(\w+(?:, \w+)*)(?: \([^)]*\))?: (.*)', line)
        if entry and set(entry[2].split(', ')) <= set(keys):
            indent, names, text = len(entry[1]), entry[2].split(', '), entry[3]
        elif line[: indent + 1].strip():  # another argument, or the next section
            names, text = [], ''
        else:
            text = f' {line.strip()}'
        for name in names:
            words[name] = f'{words.get(name, "")}{text}'.rstrip()
    return words


def _field_words(function: Callable) -> dict[str, str]:
    """Key -> the comment beside a field of a dataclass."""
    if not dataclasses.is_dataclass(function):
        return {}
    return dict(re.findall(r'^    (\w+):[^#\n]*#\s*(.*)$', inspect.getsource(function), re.MULTILINE))


def _summary(function: Callable) -> str:
    """The first paragraph of a docstring."""
    return (inspect.getdoc(function) or '').partition('\n\n')[0].replace('\n', ' ')


def _to_markdown(section: Section) -> str:
    rows = [
        (f'`{option.key}`', _cell(option.type), _cell(option.default), _escaped(option.words))
        for option in section.options
    ]
    columns = [('key', 'type', 'value', 'what'), ('---',) * 4, *rows]
    kept = [index for index in range(4) if any(row[index] for row in rows)]
    table = '\n'.join(f'| {" | ".join(row[index] for index in kept)} |' for row in columns)
    return f'### {section.title}\n\n{_escaped(section.words)}\n\n{table if rows else "No options."}'


def _cell(value: str) -> str:
    return f'`{value}`'.replace('|', r'\|') if value else ''


def _escaped(text: str) -> str:
    """Text whose |, * and < mean themselves in a table; what is between backticks is left as it is."""
    parts = text.split('`')
    parts[::2] = [re.sub(r'([|*<])', r'\\\1', part) for part in parts[::2]]
    return '`'.join(parts)
