"""What is finished stays as it is: interruption, repetition, and rows of something else."""

import re
import shutil
from pathlib import Path

import pytest

from daefr_arch.ablation import ablation
from daefr_arch.ablation.row_record import read_record
from daefr_arch.models.base import DAEFRBaseModel
from tests.ablation.tables import FORCED, STAGES, ablate, checkpoint, two_rows


def test_called_again_nothing_is_done_again(work, no_training):
    records = {path: path.stat().st_mtime_ns for path in Path('results/table2').glob('*/record.json')}
    assert len(records) == 6
    table = Path('results/table2/table.md').read_text()
    assert ablate('table2') == 0
    assert {path: path.stat().st_mtime_ns for path in records} == records
    assert Path('results/table2/table.md').read_text() == table


def test_an_interrupted_row_goes_on_and_a_finished_one_is_not_repeated(tiny_tables, empty_work, monkeypatch):
    config = two_rows(empty_work)
    for stage in STAGES:
        shutil.copytree(tiny_tables.folder / f'experiments/tiny_{stage}', f'experiments/tiny_{stage}')
    steps = []
    optimize = DAEFRBaseModel.optimize_parameters

    def interrupted(model, current_iter):
        steps.append((model.opt['name'], current_iter))
        if interrupt and steps[-1] == ('tiny_table2_b', 4):
            raise KeyboardInterrupt
        optimize(model, current_iter)

    monkeypatch.setattr(DAEFRBaseModel, 'optimize_parameters', interrupted)
    interrupt = True
    assert ablate(config) == 130
    assert read_record(Path('results/two/a')) is not None
    assert read_record(Path('results/two/b')) is None
    assert not Path('results/two/table.md').exists()
    kept = [Path('results/two/a/record.json'), Path('results/two/a/hopper_0.png'), checkpoint('table2_a')]
    times = [path.stat().st_mtime_ns for path in kept]
    assert steps == [('tiny_table2_a', i) for i in (1, 2, 3, 4)] + [('tiny_table2_b', i) for i in (1, 2, 3, 4)]

    interrupt = False
    steps.clear()
    assert ablate(config) == 0
    assert steps == [('tiny_table2_b', 3), ('tiny_table2_b', 4)]
    assert [path.stat().st_mtime_ns for path in kept] == times
    assert Path('results/two/table.md').is_file()


def test_a_row_interrupted_after_its_training_is_measured_only(tiny_tables, empty_work, no_training, monkeypatch):
    for name in ('table2_a', 'table2_b', 'stage1_hq'):
        shutil.copytree(tiny_tables.folder / f'experiments/tiny_{name}', f'experiments/tiny_{name}')
    config = two_rows(empty_work)
    restore = ablation.restore_faces

    def interrupted(row, *arguments):
        if row.name == 'b' and interrupt:
            raise KeyboardInterrupt
        restore(row, *arguments)

    monkeypatch.setattr(ablation, 'restore_faces', interrupted)
    interrupt = True
    assert ablate(config) == 130
    interrupt = False
    assert ablate(config) == 0


def test_finished_rows_outlive_their_experiments(tiny_tables, empty_work, no_training):
    shutil.copytree(tiny_tables.folder / 'results/table2', 'results/table2')
    assert ablate('table2') == 0


@pytest.mark.parametrize('kind', ['options', 'test set', 'metrics', 'checkpoint'])
def test_a_finished_row_of_something_else_is_refused(tiny_tables, empty_work, no_training, tmp_path, kind, caplog):
    shutil.copytree(tiny_tables.folder / 'results/table2', 'results/table2')
    forced, arguments, difference = list(FORCED), [], ''
    if kind == 'options':
        forced, difference = ['train:total_iter=5', *FORCED[1:]], 'a was finished with .*total_iter was 4 and is 5'
    elif kind == 'metrics':
        arguments, difference = ['--metrics', 'psnr'], 'metrics.ssim was .* and is None'
    elif kind == 'test set':
        shutil.copytree(tiny_tables.folder / 'datasets/tiny_test/lq', 'other')
        shutil.copy('other/hopper_0.png', 'other/hopper_1.png')
        arguments, difference = ['-i', 'other'], 'test_set was'
    else:
        arguments = [
            '--checkpoint',
            f'table2_a={tiny_tables.folder / "experiments/tiny_stage1_hq/models"}/net_g_latest.pth',
        ]
        difference = 'checkpoints.g was'
    table = Path('results/table2/table.csv').read_bytes()
    caplog.clear()
    assert ablate('table2', *arguments, forced=forced) == 1
    assert re.search(difference, caplog.text)
    assert 'remove the folder' in caplog.text
    assert Path('results/table2/table.csv').read_bytes() == table


def test_an_experiment_of_other_options_is_refused(tiny_tables, empty_work, no_training, caplog):
    """A training that is finished, but whose row is not: it would be taken for one of the options of now."""
    for name in ('table2_a', 'table2_b'):
        shutil.copytree(tiny_tables.folder / f'experiments/tiny_{name}', f'experiments/tiny_{name}')
    assert ablate(two_rows(empty_work), forced=['train:total_iter=6', *FORCED[1:]]) == 1
    assert 'tiny_table2_a was trained with other options' in caplog.text
    assert 'train.total_iter was 4 and is 6' in caplog.text
    assert '--checkpoint table2_a=' in caplog.text
