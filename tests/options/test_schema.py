"""The schema for editors: it is current, lets every shipped file pass, and finds what is wrong."""

import json

import pytest
import yaml
from jsonschema import Draft7Validator

from daefr_arch.options.schema import text
from tests.models.stages import ROOT

FILE = ROOT / 'options/schema.json'


@pytest.fixture(scope='module')
def schema():
    return Draft7Validator(json.loads(FILE.read_text()))


def test_it_is_current():
    """Else: python -m daefr_arch.options.schema > options/schema.json"""
    assert json.loads(FILE.read_text()) == json.loads(text())


def test_every_shipped_file_passes(schema):
    Draft7Validator.check_schema(schema.schema)
    files = [path for path in (ROOT / 'options').rglob('*.yml') if 'test_set:' not in path.read_text()]
    assert len(files) > 40
    for path in files:
        options = yaml.safe_load(path.read_text())
        if 'stages' not in options:  # a table of ablations
            assert schema.is_valid(options), path


@pytest.mark.parametrize(
    'wrong',
    [
        {'model_type': 'DAEFRCodebookModel', 'train': {'totl_iter': 1}},
        {'train': {'amp': 'half'}},
        {'train': {'pixel_opt': {'type': 'L1Loss', 'loss_wight': 1}}},
        {'train': {'optim_g': {'type': 'Adam', 'lr': '1e-3'}}},
        {'train': {'codebook_opt': {'restart': 1}}},
        {'network_g': {'type': 'DAEFR', 'ch': 30}},
        {'datasets': {'train': {'type': 'DAEFRDegradationDataset', 'gt_size': 'large'}}},
        {'val': {'metrics': {'psnr': {'type': 'daefr_psnr', 'crop': 1}}}},
        {'model_type': 'DAEFRCodebookModel', 'path': {'pretrain_network_x': 'file'}},
    ],
)
def test_what_is_wrong_is_found(schema, wrong):
    assert not schema.is_valid(wrong)


def test_what_is_of_other_packages_passes(schema):
    assert schema.is_valid({'model_type': 'MyModel', 'my_section': 1})
    assert schema.is_valid({'train': {'pixel_opt': {'type': 'MyLoss', 'anything': 1}}})
    assert schema.is_valid({'datasets': {'train': {'type': 'MyDataset', 'anything': 1}}})


def test_files_name_the_schema():
    for path in (ROOT / 'options').rglob('*.yml'):
        first = path.read_text().splitlines()[0]
        if first.startswith('# yaml-language-server: $schema='):
            assert (path.parent / first.partition('=')[2]).resolve() == FILE
        else:
            assert path.is_relative_to(ROOT / 'options/ablation'), path
