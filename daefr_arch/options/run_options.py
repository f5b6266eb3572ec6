"""The option file of a run: every key that is understood, so that a mistyped one is found before anything starts."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import torch
from basicsr.models import lr_scheduler
from basicsr.utils.registry import ARCH_REGISTRY, DATASET_REGISTRY, LOSS_REGISTRY, METRIC_REGISTRY, MODEL_REGISTRY

from daefr_arch.errors import InputError
from daefr_arch.options.checks import check_keys

RUN_KEYS = ('name', 'model_type', 'num_gpu', 'manual_seed', 'scale', 'datasets', 'path', 'val')
TRAIN_RUN_KEYS = ('train', 'logger', 'find_unused_parameters', 'dist_params')
# what BasicSR and train.py add to the options of the file
ADDED_KEYS = ('dist', 'rank', 'world_size', 'root_path', 'auto_resume', 'is_train', 'resume_position')
ADDED_PATH_KEYS = ('experiments_root', 'results_root', 'models', 'training_states', 'log', 'visualization')
VAL_KEYS = ('val_freq', 'save_img', 'suffix', 'metrics', 's_lq')
LOGGER_KEYS = ('print_freq', 'save_checkpoint_freq', 'use_tb_logger', 'wandb')
SCHEDULERS = {
    'MultiStepLR': lr_scheduler.MultiStepRestartLR,
    'MultiStepRestartLR': lr_scheduler.MultiStepRestartLR,
    'CosineAnnealingRestartLR': lr_scheduler.CosineAnnealingRestartLR,
}
REQUIRED_KEYS = {
    '': ('name', 'model_type', 'num_gpu', 'datasets', 'path'),
    'train': ('total_iter', 'scheduler'),
    'logger': ('print_freq', 'save_checkpoint_freq', 'use_tb_logger'),
}


def check_run_options(opt: Mapping[str, Any], *, is_train: bool) -> None:
    """Checks the keys of an option file, also in its sections; models of other packages have theirs unchecked.

    Raises:
        InputError: an unknown key (with the nearest valid one), a missing key, or an unknown type.
    """
    for section in ('', 'train', 'logger') if is_train else ('',):
        _check_required(opt if section == '' else opt.get(section), section)
    model = _registered(MODEL_REGISTRY, opt['model_type'], 'model_type')
    networks = [key for key in opt if key.startswith('network_')]
    check_keys(opt, (*RUN_KEYS, *(TRAIN_RUN_KEYS if is_train else ()), *ADDED_KEYS, *networks), where='option file')
    for key in networks:
        _check_call(opt[key], ARCH_REGISTRY, where=key)
    for phase, dataset in opt['datasets'].items():
        _check_dataset(dataset, f'datasets.{phase}')
    _check_val(opt.get('val') or {})
    if is_train:
        check_keys(opt['logger'], LOGGER_KEYS, where='logger')
    if hasattr(model, 'train_keys'):
        check_keys(opt['path'], ('resume_state', *model.path_keys, *ADDED_PATH_KEYS), where='path')
        _check_train(opt.get('train') or {}, model)


def _check_required(section: Any, name: str) -> None:
    place = name or 'option file'
    if not isinstance(section, Mapping):
        raise InputError(f'{place}: expected a mapping of options, got {section!r}')
    for key in REQUIRED_KEYS[name]:
        if key not in section:
            raise InputError(f'{place}: {key} is missing')


def _registered(registry: Any, name: Any, where: str) -> Any:
    if name not in registry:
        check_keys([name], tuple(registry.keys()), where=where)
    return registry.get(name)


def _check_call(
    options: Any, registry: Any, where: str, given: tuple[str, ...] = (), extra: tuple[str, ...] = ()
) -> None:
    """`options`: a `type` of the registry and its arguments; `given`: arguments that the caller adds."""
    if not isinstance(options, Mapping) or 'type' not in options:
        raise InputError(f'{where}: type is missing')
    function = _registered(registry, options['type'], f'{where}.type')
    check_keys(options, ('type', *extra, *_arguments(function, given)), where=where)


def _arguments(function: Callable, given: tuple[str, ...] = ()) -> tuple[str, ...]:
    parameters = inspect.signature(function).parameters.values()
    named = (parameter.name for parameter in parameters if parameter.kind is not parameter.VAR_KEYWORD)
    return tuple(name for name in named if name not in given)


def _check_dataset(options: Mapping[str, Any], where: str) -> None:
    dataset = _registered(DATASET_REGISTRY, options.get('type'), f'{where}.type')
    if 'name' not in options:
        raise InputError(f'{where}: name is missing')
    if hasattr(dataset, 'option_keys'):
        check_keys(options, dataset.option_keys, where=where)


def _check_val(options: Mapping[str, Any]) -> None:
    check_keys(options, VAL_KEYS, where='val')
    for name, metric in (options.get('metrics') or {}).items():
        _check_call(metric, METRIC_REGISTRY, f'val.metrics.{name}', given=('img', 'img2'), extra=('better',))


def _check_train(options: Mapping[str, Any], model: Any) -> None:
    check_keys(options, (*model.base_train_keys, *model.train_keys), where='train')
    for key, section in options.items():
        where = f'train.{key}'
        if key.startswith('optim_'):
            check_keys(section, ('type', *_arguments(torch.optim.Adam, ('params',))), where=where)
        elif key == 'scheduler':
            check_keys([section.get('type')], tuple(SCHEDULERS), where=f'{where}.type')
            valid = ('type', *_arguments(SCHEDULERS[section['type']], ('optimizer', 'last_epoch')))
            check_keys(section, valid, where=where)
        elif key in model.train_sections:
            check_keys(section or {}, _arguments(model.train_sections[key], ('codebook',)), where=where)
        elif key.endswith('_opt') and section:
            _check_call(section, LOSS_REGISTRY, where)
