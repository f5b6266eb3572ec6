from copy import deepcopy

import pytest
import yaml

from daefr_arch.ablation.row_network import check_row
from daefr_arch.ablation.table_config import Row, read_table_config
from daefr_arch.ablation.training import read_training
from daefr_arch.errors import InputError
from tests.models.stages import ROOT

CONTENT = {
    'title': 'T',
    'stages': ['s.yml'],
    'test_set': {'gt': 'g', 'lq': 'l'},
    'metrics': ['psnr'],
    'rows': {'a': {'what': 'A', 'options': 'r.yml', 'paper': {'psnr': 20}}},
}


def _write(folder, content):
    for name in ('s.yml', 'r.yml'):
        (folder / name).write_text('name: x')
    file = folder / 'table.yml'
    file.write_text(yaml.safe_dump(content))
    return file


def test_a_table_is_read(tmp_path):
    table = read_table_config(_write(tmp_path, CONTENT))
    assert table.stages == (tmp_path / 's.yml',)
    assert table.rows == (Row('a', 'A', tmp_path / 'r.yml', paper={'psnr': 20.0}),)
    assert table.paper_input == {}


@pytest.mark.parametrize(
    ('place', 'value', 'message'),
    [
        (('titel',), 'T', r"unknown option 'titel'; did you mean 'title'"),
        (('title',), None, r'title: expected text, got None'),
        (('stages',), 's.yml', r'stages: expected a list'),
        (('stages',), ['no.yml'], r"stages: expected an option file relative to .*'no\.yml' is none"),
        (('test_set',), 'folder', r'test_set: expected a mapping'),
        (('test_set', 'gt'), None, r'test_set: gt: expected text, got None'),
        (('test_set', 'hq'), 'g', r"test_set: unknown option 'hq'"),
        (('metrics',), [], r'metrics: expected one or more'),
        (('metrics',), ['pnsr'], r"metrics: unknown option 'pnsr'; did you mean 'psnr'"),
        (('rows',), {}, r'rows: expected one or more'),
        (('rows', 'a'), 'r.yml', r'rows\.a: expected a mapping'),
        (('rows', 'input'), CONTENT['rows']['a'], r'rows\.input: a row names a folder'),
        (('rows', '../a'), CONTENT['rows']['a'], r'rows\.\.\./a: a row names a folder'),
        (('rows', 'a', 'options'), None, r'rows\.a\.options: expected an option file'),
        (('rows', 'a', 's_lq'), 1.5, r'rows\.a\.s_lq: expected a number from 0 to 1, got 1\.5'),
        (('rows', 'a', 'path'), 'hybird', r"rows\.a\.path: expected one of hq, lq, hybrid, got 'hybird'"),
        (('rows', 'a', 'paper'), {'psnr': '20'}, r'rows\.a\.paper: expected numbers by metric'),
        (('rows', 'a', 'paper'), {'lpps': 20}, r"rows\.a\.paper: unknown option 'lpps'; did you mean 'lpips'"),
        (('paper_input',), 3, r'paper_input: expected numbers by metric'),
    ],
)
def test_errors_name_the_file_and_the_key(tmp_path, place, value, message):
    content = deepcopy(CONTENT)
    section = content
    for key in place[:-1]:
        section = section[key]
    section[place[-1]] = value
    with pytest.raises(InputError, match=r'table\.yml: ' + message):
        read_table_config(_write(tmp_path, content))


@pytest.mark.parametrize(
    ('stem', 'options', 'message'),
    [
        ('table2_a', {'path': 'hybrid'}, r"row r: path: expected none for a DAEFR of .*table2_a\.yml, got 'hybrid'"),
        ('table6_l1', {}, r'row r: path: expected hq, lq or hybrid for the two autoencoders .*got None'),
        ('table2_a', {'s_lq': 0.2}, r'row r: s_lq: .*table2_a\.yml has no control module'),
        ('../../tiny/stage1_hq', {}, r"expected networks .* in .*stage1_hq\.yml, got {'g': 'DAEFRCodebook'}"),
    ],
)
def test_a_row_must_fit_its_networks(stem, options, message):
    training = read_training(ROOT / f'options/ablation/tiny/{stem}.yml')
    with pytest.raises(InputError, match=message):
        check_row(Row('r', '', training.file, **options), training)
