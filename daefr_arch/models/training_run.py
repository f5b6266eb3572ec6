"""Training and testing with BasicSR's own pipelines.

The pipelines read `sys.argv`, look their parts up in their own modules, and build everything themselves. What a run
needs besides is put in place of those parts, once, when the package is imported: options that are checked and may have
a `base`, and training samples whose order can be resumed. So a program that imports this package and calls BasicSR's
train_pipeline trains as `daefr train` does. Models and datasets of others are left to BasicSR.
"""

import argparse
import atexit
import logging
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import basicsr.test
import basicsr.train
import torch
from basicsr.data import build_dataloader, build_dataset
from basicsr.utils.registry import DATASET_REGISTRY, MODEL_REGISTRY
from torch import distributed
from torch.utils.data import DataLoader

from daefr_arch import compat
from daefr_arch.checkpoints import check_checksums
from daefr_arch.data.degradation_dataset import DAEFRDegradationDataset, check_images
from daefr_arch.data.draw_sampler import DrawSampler
from daefr_arch.data.imported_dataset import ImportedDataset
from daefr_arch.errors import InputError, UsageError
from daefr_arch.io.atomic_file import make_folder
from daefr_arch.io.folder_lock import locked_folder
from daefr_arch.models.base import DAEFRBaseModel
from daefr_arch.models.distributed import gather_objects
from daefr_arch.models.epochs import Epochs
from daefr_arch.models.resumption import Resumption, is_resuming, load_resume_state
from daefr_arch.models.shared_memory import told_what_to_do
from daefr_arch.options.dataset import SeededDatasetOptions
from daefr_arch.options.machine import check_launcher, check_machine
from daefr_arch.options.option_file import force_options, imported_modules, read_option_file, resolved_option_file
from daefr_arch.options.run_options import check_run_options
from daefr_arch.registration import import_projects

Loaders = tuple[DataLoader, DrawSampler, list[DataLoader], int, int]


def run(arguments: Sequence[str], *, is_train: bool = True, root: str | Path | None = None) -> None:
    """Runs BasicSR's train_pipeline or test_pipeline.

    Args:
        arguments: of the command line, as ['-opt', 'options/tiny/stage1_hq.yml', '--auto_resume']; the file may have
            a `base` (see option_file).
        is_train: train or test.
        root: the folder that gets `experiments/` and `tb_logger/`, or `results/`; the working directory if None.

    Raises:
        InputError, WeightsError: options or checkpoints are wrong; nothing was started.
        TrainingError: a loss is not finite, or shared memory is too small for the workers.
    """
    compat.forget_log_file()
    try:
        with compat.command_line(arguments), told_what_to_do():
            (basicsr.train.train_pipeline if is_train else basicsr.test.test_pipeline)(os.fspath(root or Path.cwd()))
    finally:
        _held_folder.close()
    if distributed.is_initialized():
        distributed.destroy_process_group()


def install() -> None:
    """Puts the parts below into BasicSR's pipelines; calling it again changes nothing."""
    compat.replace_pipeline_parts(
        {
            'parse_options': _parse_options,
            'copy_opt_file': _copy_opt_file,
            'load_resume_state': _load_resume_state,
            'create_train_val_dataloader': _create_train_val_dataloader,
        }
    )


def _is_ours(registry: Any, name: Any, base: type) -> bool:
    """Whether `name` is registered, and a subclass of `base`."""
    return name in registry and isinstance(registry.get(name), type) and issubclass(registry.get(name), base)


def _has_our_model(opt: Mapping[str, Any]) -> bool:
    return _is_ours(MODEL_REGISTRY, opt.get('model_type'), DAEFRBaseModel)


def _parse_options(original: Callable) -> Callable:
    """BasicSR's parser for files with a `base`, which imports modules of the user and checks the options.

    Options of a registered model of others are not checked.
    """

    def parse_options(root_path: str, is_train: bool = True) -> tuple[dict[str, Any], argparse.Namespace]:
        parser = argparse.ArgumentParser(add_help=False)
        parser.add_argument('-opt')
        parser.add_argument('--launcher', default='none')
        parser.add_argument('--force_yml', nargs='+', default=[])
        parser.add_argument('--import', nargs='+', default=[], dest='modules')
        known, others = parser.parse_known_args()
        if known.opt is None:
            return original(root_path, is_train=is_train)  # its usage
        options = force_options(read_option_file(known.opt), known.force_yml)
        modules = [*imported_modules(options), *known.modules]
        import_projects(modules)
        is_checked = _has_our_model(options) or options.get('model_type') not in MODEL_REGISTRY
        if is_checked:
            check_launcher(known.launcher)
            checked = check_run_options(options, is_train=is_train)
        forced = [*known.force_yml, *([f'import={modules}'] if modules else [])]
        backend = (options.get('dist_params') or {}).get('backend')
        # the file has what is forced: BasicSR's parser would seed before it forces the seed
        with resolved_option_file(known.opt, forced) as file, compat.default_backend(backend):
            with compat.command_line([*others, '-opt', file, '--launcher', known.launcher]):
                opt, args = original(root_path, is_train=is_train)
        args.opt = known.opt
        if options.get('manual_seed') is None:  # each process has drawn its own
            opt |= {'manual_seed': gather_objects(opt['manual_seed'])[0], 'seed_is_drawn': True}
        if is_checked:
            resuming = is_train and is_resuming(opt)
            check_machine(checked, opt, launcher=known.launcher, resuming=resuming)
            if not resuming and _has_our_model(opt):
                MODEL_REGISTRY.get(opt['model_type']).check_starting_points(opt['path'])
            check_images(opt['datasets'], opt['world_size'])
            for key, file in ({} if resuming else opt['path']).items():
                if key.startswith('pretrain_network') and file:
                    check_checksums(file)
            _hold_folder(opt)
        return opt, args

    return parse_options


_held_folder = ExitStack()
atexit.register(_held_folder.close)


def _hold_folder(opt: Mapping[str, Any]) -> None:
    """Keeps other processes from runs of this name until this one ends, or begins another.

    Raises:
        UsageError: there is such a run.
    """
    _held_folder.close()
    if opt['rank'] != 0:
        return
    folder = Path(opt['path'].get('experiments_root') or opt['path']['results_root'])
    make_folder(folder.parent)
    lock = folder.with_name(f'.daefr-{folder.name}.lock')  # BasicSR renames the folder itself
    try:
        _held_folder.enter_context(locked_folder(folder, lock))
    except UsageError as error:
        raise UsageError(f'{error}, or give this run another name') from error


def _copy_opt_file(original: Callable) -> Callable:
    """BasicSR's copy of the option file into the experiment's folder, with what the file's `base` gives."""

    def copy_opt_file(opt_file: str, experiments_root: str) -> None:
        with resolved_option_file(opt_file) as file:
            original(file, experiments_root)

    return copy_opt_file


def _load_resume_state(original: Callable) -> Callable:
    """Ours in place of BasicSR's; and the seed of the training set, which is the run's unless the file has one."""
    del original

    def load(opt: dict[str, Any]) -> dict[str, Any] | None:
        state = load_resume_state(opt, is_ours=_has_our_model(opt))
        if opt.pop('seed_is_drawn', False) and state and 'manual_seed' in state:
            opt['manual_seed'] = state['manual_seed']
        train_opt = opt['datasets'].get('train', {})
        if _is_seeded(train_opt.get('type')) and train_opt.get('seed') is None:
            train_opt['seed'] = opt['manual_seed']
        return state

    return load


def _is_seeded(dataset: Any) -> bool:
    """Whether a dataset of that name has the option `seed`."""
    options = getattr(DATASET_REGISTRY.get(dataset), 'Options', None) if dataset in DATASET_REGISTRY else None
    return isinstance(options, type) and issubclass(options, SeededDatasetOptions)


def _create_train_val_dataloader(original: Callable) -> Callable:
    """Ours for our models and for our dataset, whose degradations are new in each epoch with our sampler only."""

    def create(opt: dict[str, Any], logger: logging.Logger) -> Loaders:
        dataset = opt['datasets'].get('train', {}).get('type')
        if _has_our_model(opt) or _is_ours(DATASET_REGISTRY, dataset, DAEFRDegradationDataset):
            return create_train_val_dataloader(opt, logger)
        return original(opt, logger)

    return create


def create_train_val_dataloader(opt: dict[str, Any], logger: logging.Logger) -> Loaders:
    """The loaders of `datasets`, the sampler, the last epoch and the number of iterations.

    In place of BasicSR's, whose sampler does not tell the dataset the epoch, which begins the epoch anew on resumption,
    and which ends too early where the last, incomplete batch of each epoch is dropped.
    """
    train_opt = opt['datasets']['train']
    train_set = build_dataset(train_opt)
    sampler = DrawSampler(
        *(train_set, opt['world_size'], opt['rank'], train_opt.get('dataset_enlarge_ratio', 1)),
        seed=getattr(train_set, 'seed', opt['manual_seed']),
    )
    epochs = Epochs(
        images=len(train_set),
        ratio=train_opt.get('dataset_enlarge_ratio', 1),
        seed=sampler.seed,
        batch_size=train_opt['batch_size_per_gpu'],
        processes=opt['world_size'],
    )
    if epochs.iterations == 0:
        raise InputError(
            f'datasets.train: {len(sampler)} images a process are less than batch_size_per_gpu {epochs.batch_size}'
        )
    resumption: Resumption | None = opt.get('resumption')
    if resumption:
        epochs, change = epochs.go_on(resumption.state)
        sampler.resume(epochs.epoch, epochs.samples // epochs.processes)
        for line in (*resumption.passed_over, *([change] if change else [])):
            logger.warning(line)
    opt['epochs'] = epochs
    if opt.get('import'):
        train_set = ImportedDataset(train_set, opt['import'])
    # one GPU a process: without a launcher the batch is not multiplied by the number of GPUs
    train_loader = build_dataloader(
        train_set, train_opt, num_gpu=1, dist=opt['dist'], sampler=sampler, seed=opt['manual_seed']
    )
    train_loader.generator = torch.Generator()  # else each epoch takes a number from the random state of the run
    val_sets = [build_dataset(dataset) for phase, dataset in opt['datasets'].items() if phase.split('_')[0] == 'val']
    val_loaders = [build_dataloader(val_set, val_set.opt) for val_set in val_sets]
    total_iters = int(opt['train']['total_iter'])
    logger.info(
        '%d training images, %d iterations an epoch of %d x %d images, %d iterations in all',
        *(epochs.images, epochs.iterations, epochs.processes, epochs.batch_size, total_iters),
    )
    return train_loader, sampler, val_loaders, epochs.last(total_iters), total_iters
