"""The options page has every key that option files have, with the defaults of the code."""

import importlib.util

import pytest

from daefr_arch.options.option_file import read_option_file
from tests.docs.pages import DOCS, ROOT


@pytest.fixture(scope='module')
def page():
    """The module that writes the page."""
    specification = importlib.util.spec_from_file_location('options_reference', DOCS / 'options_reference.py')
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@pytest.fixture(scope='module')
def sections(page):
    """Title -> key -> option."""
    return {section.title: {option.key: option for option in section.options} for section in page.reference()}


@pytest.mark.parametrize(
    'file', sorted((ROOT / 'options').glob('t[ri]*/*.yml')), ids=lambda file: file.parent.name + '/' + file.stem
)
def test_every_key_of_the_option_files_is_there(file, sections):
    options = read_option_file(file)
    assert set(options) <= set(sections['The file itself']) | {key for key in options if key.startswith('network_')}
    assert set(options['train']) <= set(sections['`train` of every stage']) | set(
        sections[f'`train` of {options["model_type"]}']
    )
    assert set(options['path']) <= set(sections[f'`path` of {options["model_type"]}'])
    for key, network in options.items():
        if key.startswith('network_'):
            assert set(network) - {'type'} <= set(sections[f'`network_<label>`: {network["type"]}'])


def test_types_defaults_and_words_are_the_codes(sections):
    layers = sections['`network_<label>`: DAEFR']['n_layers']
    assert (layers.type, layers.default) == ('int', '9')
    beta = sections['`train.<name>_opt`: DAEFRCodeLoss']['beta']
    assert (beta.type, beta.default) == ('float', '0.25')
    assert beta.words.startswith('weight of the one term')
    assert sections['`datasets.<phase>`: the ranges of Eq. 8']['jpeg_range'].default == '[30, 100]'
    assert sections['`train.<name>_opt`: DAEFRIdentityLoss']['embedding_network'].default == 'required'


def test_the_page_has_a_table_a_section(page, sections):
    text = page.on_page_markdown((DOCS / 'options.md').read_text(encoding='utf-8'))
    assert page.MARKER not in text
    assert text.count('\n### ') == len(sections)
    assert '| `s_lq` | `1` |' in text
    assert page.on_page_markdown('another page') == 'another page'
