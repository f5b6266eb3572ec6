"""Wrong arguments and missing files are found before anything starts."""

import re
from pathlib import Path

import pytest

from tests.ablation.tables import FORCED, ablate, checkpoint, two_rows


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['--checkpoint', 'table2_x=a.pth'], r"expected one of table2_a, .*table2_e, got 'table2_x'"),
        (['--checkpoint', 'table2_a'], r"expected STEM=FILE, got 'table2_a'"),
        (['--checkpoint', 'table2_a=none.pth'], r'table2_a: no file at none\.pth'),
        (['--checkpoint', 'table2_a=a.pth,b.pth'], r'expected table2_a=FILE, got 2 files'),
        (['--checkpoint', 'table2_a=a', 'table2_a=b'], r'table2_a is given twice'),
        (['--metrics', 'pnsr'], r'unknown metrics pnsr'),
    ],
)
def test_wrong_arguments(empty_work, no_training, caplog, arguments, message):
    assert ablate('table2', *arguments) == 2
    assert re.search(message, caplog.text)
    assert not Path('results').exists()


@pytest.mark.parametrize(
    ('arguments', 'forced', 'message'),
    [
        (['-i', 'nowhere'], FORCED, r'test set nowhere and .*no image file.*`daefr degrade` makes one'),
        (['-g', 'nowhere'], FORCED, r'test set .* and nowhere: no image file'),
        (
            [],
            ['datasets:train:dataroot_gt=nowhere'],
            r'stage1_hq\.yml: datasets\.train\.dataroot_gt: no image file, folder or pattern .* nowhere: expected',
        ),
        ([], ['name=same'], r'have one name, same'),
        ([], ['train:totl_iter=3'], r"stage1_hq\.yml: train: unknown option 'totl_iter'; did you mean 'total_iter'"),
    ],
)
def test_what_is_missing_is_found_before_anything_starts(empty_work, no_training, caplog, arguments, forced, message):
    assert ablate('table2', *arguments, forced=forced) == 1
    assert re.search(message, caplog.text)
    assert not Path('results').exists()
    assert not Path('experiments').exists()


def test_a_checkpoint_of_another_row_is_refused(work, no_training, tmp_path, caplog):
    arguments = ['--checkpoint', f'table2_d={checkpoint("table2_e")}']
    assert ablate('table2', *arguments, output=tmp_path) == 1
    assert 'is not a checkpoint of DAEFR with these options' in caplog.text


def test_a_checkpoint_that_no_training_writes_is_named(empty_work, no_training, caplog):
    assert ablate(two_rows(empty_work, stages=['stage1_lq'])) == 1
    expected = r'pretrain_network_codebook: experiments/tiny_stage1_hq/models/net_g_latest\.pth is not there, and no'
    assert re.search(r'table2_a\.yml: path\.' + expected, caplog.text)
    assert not Path('results').exists()
