"""The trainings of a table: which there are, which are finished, what they start from."""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from daefr_arch.checkpoints import network_file, newest_state
from daefr_arch.data.degradation_dataset import check_images
from daefr_arch.errors import InputError, WeightsError
from daefr_arch.models import training_run
from daefr_arch.options.checks import first_difference
from daefr_arch.options.option_file import force_options, imported_modules, read_option_file, resolved_option_file
from daefr_arch.options.run_options import check_run_options
from daefr_arch.registration import import_projects

RESULT_TYPES = ('DAEFR', 'DAEFRCodebook')  # the networks that a training is for; the others are discriminators


@dataclass(frozen=True)
class Training:
    """An option file and the experiment that it trains.

    Attributes:
        file: the option file; its stem is the training's name on the command line.
        options: all of them, with what its base and the command line give.
        forced: KEY:KEY=VALUE of the command line, in `options` already.
    """

    file: Path
    options: Mapping[str, Any]
    forced: tuple[str, ...] = ()

    @property
    def stem(self) -> str:
        """What --checkpoint calls it."""
        return self.file.stem

    @property
    def experiment(self) -> Path:
        """BasicSR's folder of it, below the working directory."""
        return Path('experiments') / self.options['name']

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels of the networks that it is for: g of a DAEFR, hq and lq of the association stage."""
        networks = {key: value for key, value in self.options.items() if key.startswith('network_')}
        return tuple(sorted(key[len('network_') :] for key in networks if networks[key]['type'] in RESULT_TYPES))

    @property
    def checkpoints(self) -> dict[str, Path]:
        """Label -> checkpoint of the networks that it is for, at the end of the training."""
        return {label: self._latest(label) for label in self.labels}

    @property
    def written(self) -> tuple[Path, ...]:
        """net_LABEL_latest.pth of every network that it trains, discriminators too."""
        return tuple(self._latest(label) for label in self._trained_labels())

    @property
    def finished(self) -> bool:
        """Whether BasicSR has written all of them."""
        return all(file.is_file() for file in self.written)

    @property
    def begun(self) -> bool:
        """Whether there is a state to go on from."""
        return newest_state(self.experiment / 'training_states') is not None

    @property
    def starts_from(self) -> dict[str, Path]:
        """Key under `path` -> checkpoint that the training starts from."""
        return {
            f'path.{key}': Path(value).expanduser()
            for key, value in self.options['path'].items()
            if key.startswith('pretrain_network') and value
        }

    def difference(self) -> str | None:
        """How the options that BasicSR copied into the experiment differ from these; None: not at all, or no copy."""
        copied = self.experiment / self.file.name
        return first_difference(read_option_file(copied), self.options) if copied.is_file() else None

    def _latest(self, label: str) -> Path:
        return network_file(self.experiment / 'models', label, 'latest')

    def _trained_labels(self) -> list[str]:
        """Discriminators are trained only with a loss, and not where their path is frozen (Fig. 7 (a))."""
        options = self.options['train']
        frozen = ['d_hq'] if options.get('freeze_hq') else []
        return [
            key.removeprefix('network_')
            for key, network in self.options.items()
            if key.startswith('network_')
            and (network['type'] in RESULT_TYPES or (options.get('gan_opt') and key[len('network_') :] not in frozen))
        ]


def read_training(file: Path, forced: Sequence[str] = ()) -> Training:
    """The training of an option file.

    Raises:
        InputError: the file cannot be read, or its options are wrong.
    """
    options = force_options(read_option_file(file), forced)
    import_projects(imported_modules(options))
    try:
        check_run_options(options, is_train=True)
    except InputError as error:
        raise InputError(f'{file}: {error}') from error
    training = Training(file, options, tuple(forced))
    if not training.labels:
        raise InputError(f'{file}: expected a network of type {" or ".join(RESULT_TYPES)}')
    return training


def plan_trainings(wanted: Iterable[Training], known: Sequence[Training]) -> list[Training]:
    """The unfinished ones of `wanted` and of those that they start from, each after what it starts from.

    Args:
        wanted: whose networks are needed.
        known: all trainings of the table; a checkpoint that none of them writes must be there.

    Raises:
        InputError: two trainings of one name, a circle, or a folder of faces that is not there.
        WeightsError: a checkpoint to start from is neither there nor written by a training of the table.
    """
    experiments: dict[str, Training] = {}
    for training in known:
        other = experiments.setdefault(os.path.abspath(training.experiment), training)
        if other.file != training.file:
            raise InputError(f'{other.file} and {training.file} have one name, {training.options["name"]}')
    plan: list[Training] = []
    visiting: list[Training] = []

    def visit(training: Training) -> None:
        if training.finished or training in plan:
            return
        if training in visiting:
            raise InputError(f'{training.file} starts from what it trains itself')
        visiting.append(training)
        for key, file in training.starts_from.items():
            source = experiments.get(os.path.abspath(file.parent.parent))
            if source is not None:
                visit(source)
            if not file.is_file() and (source is None or not _contains(source.written, file)):
                raise WeightsError(
                    f'{training.file}: {key}: {file} is not there, and no training of the table writes it'
                )
        visiting.pop()
        plan.append(training)

    for training in wanted:
        visit(training)
    _check_datasets(plan)
    return plan


def _contains(files: Iterable[Path], file: Path) -> bool:
    return os.path.abspath(file) in map(os.path.abspath, files)


def _check_datasets(trainings: Iterable[Training]) -> None:
    """Whether every training has its images."""
    for training in trainings:
        try:
            check_images(training.options['datasets'], world_size=1)
        except InputError as error:
            raise InputError(f'{training.file}: {error}') from error


def run_training(training: Training) -> None:
    """Trains, going on from the newest state of the experiment if there is one.

    Raises what training_run.run raises.
    """
    with resolved_option_file(training.file, training.forced) as file:
        training_run.run(['-opt', file, '--auto_resume'])
    if training.options['train'].get('compile'):
        torch.compiler.reset()  # else graphs of one training after the other fill the compiler's cache
