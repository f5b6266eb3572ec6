"""The options page has every section and key of the reference."""

import importlib.util

import pytest

from daefr_arch.options import reference
from tests.docs.pages import DOCS


@pytest.fixture(scope='module')
def page():
    """The module that writes the page."""
    specification = importlib.util.spec_from_file_location('options_reference', DOCS / 'options_reference.py')
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def test_the_page_has_a_table_a_section_and_a_row_a_key(page):
    text = page.on_page_markdown((DOCS / 'options.md').read_text(encoding='utf-8'))
    assert page.MARKER not in text
    sections = reference()
    titles = [page.title(section) for section in sections]
    assert len(set(titles)) == len(titles)
    assert text.count('\n### ') == len(sections)
    assert text.count('\n| `') == sum(len(section.keys) for section in sections)
    assert '| `s_lq` | number from 0 to 1 | `1` |' in text
    assert '| `jpeg_range` | list of 2 numbers | `[30, 100]` |' in text
    assert '| `embedding_network` | text | required |' in text
    assert page.on_page_markdown('another page') == 'another page'
