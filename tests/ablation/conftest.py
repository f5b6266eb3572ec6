"""The four tables at tiny size, run once by `daefr ablate` in a folder of their own."""

from pathlib import Path

import pytest

from daefr_arch.ablation import ablation
from daefr_arch.commands.cli import main
from tests.ablation.tables import TABLES, TinyTables, ablate
from tests.models.stages import write_faces

DEGRADATION = ('--blur_kernel_size', '5', '--blur_sigma', '0.5', '1.5', '--downsample_range', '1.5', '3')


@pytest.fixture(scope='session')
def datasets(tmp_path_factory) -> Path:
    """A working directory with `datasets/tiny`, four real faces, and `datasets/tiny_test`, made as the tables say."""
    folder = tmp_path_factory.mktemp('ablation')
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        write_faces(folder / 'datasets/tiny')
        arguments = ['-i', 'datasets/tiny', '-o', 'datasets/tiny_test', '--size', '32', *DEGRADATION]
        assert main(['degrade', *arguments, '--noise_range', '0', '10', '--jpeg_range', '50', '95']) == 0
    return folder


@pytest.fixture(scope='session')
def tiny_tables(datasets) -> TinyTables:
    tables = TinyTables(datasets)
    run_training = ablation.run_training
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(datasets)
        for table in TABLES:
            trained = tables.trained.setdefault(table, [])

            def record(training, trained=trained):
                trained.append(training.stem)
                run_training(training)

            patch.setattr(ablation, 'run_training', record)
            tables.codes[table] = ablate(table)
    return tables


@pytest.fixture
def work(tiny_tables, monkeypatch) -> Path:
    """The folder of the finished tables, as working directory. Its files are shared: they must not be changed."""
    monkeypatch.chdir(tiny_tables.folder)
    return tiny_tables.folder


@pytest.fixture
def empty_work(datasets, tmp_path, monkeypatch) -> Path:
    """A new working directory with the faces and the test set, and nothing trained."""
    (tmp_path / 'datasets').symlink_to(datasets / 'datasets')
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def no_training(monkeypatch):
    """A training fails the test."""

    def refuse(training):
        raise AssertionError(f'{training.file} must not be trained')

    monkeypatch.setattr(ablation, 'run_training', refuse)
