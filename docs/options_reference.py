"""A hook of MkDocs: puts the tables of all options, read from the code, in place of the marker of options.md."""

import re
from typing import Any

import daefr_arch  # noqa: F401  fills the registries
from daefr_arch.options import reference
from daefr_arch.options.documentation import Key, ReferenceSection

MARKER = '<!-- options -->'


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Called by MkDocs for every page."""
    return markdown.replace(MARKER, '\n\n'.join(map(_to_markdown, reference()))) if MARKER in markdown else markdown


def title(section: ReferenceSection) -> str:
    """Of a section on the page: where it stands, and whose it is."""
    return f'`{section.place}`: {section.name}' if section.place else f'The file: {section.name}'


def _to_markdown(section: ReferenceSection) -> str:
    table = '\n'.join(['| key | type | default | what |', '|---|---|---|---|', *map(_row, section.keys)])
    return f'### {title(section)}\n\n{_escaped(section.words)}\n\n{table}'


def _row(key: Key) -> str:
    default = 'required' if key.required else f'`{key.default}`'
    return f'| `{key.name}` | {_escaped(key.type)} | {default} | {_escaped(key.words)} |'


def _escaped(text: str) -> str:
    """Text whose |, * and < mean themselves in a table; what is between backticks is left as it is."""
    parts = text.split('`')
    parts[::2] = [re.sub(r'([|*<])', r'\\\1', part) for part in parts[::2]]
    return '`'.join(parts)
