"""The Markdown of the repository, and what is in it: code blocks, inline code, links, headings."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
DOCS = ROOT / 'docs'
PAGES = sorted(
    [
        *(ROOT / name for name in ('README.md', 'CONTRIBUTING.md', 'CHANGELOG.md', 'weights/README.md')),
        *DOCS.rglob('*.md'),
    ]
)
_BLOCK = re.compile(r'^```(\w*)\n(.*?)^```$', re.MULTILINE | re.DOTALL)
_NAMED = re.compile(r'# (\S+\.(?:py|yml))\n')


class Block(NamedTuple):
    """A fenced block: its language, its text, and the file that its first line says it is, if it does."""

    language: str
    text: str
    file: str | None


def name(page: Path) -> str:
    """A page's path in the repository, for the names of tests."""
    return str(page.relative_to(ROOT))


def blocks(page: Path, language: str) -> list[Block]:
    """The fenced blocks of a language ('' for none), in their order."""
    found = []
    for kind, text in _BLOCK.findall(page.read_text(encoding='utf-8')):
        named = _NAMED.match(text)
        found.append(Block(kind, text, named[1] if named else None))
    return [block for block in found if block.language == language]


def command_lines(page: Path) -> Iterator[str]:
    """The lines of blocks without a language, without comments, those that end with a backslash joined."""
    for block in blocks(page, ''):
        for line in block.text.replace('\\\n', ' ').splitlines():
            command = line.partition(' #')[0].strip()
            if command and not command.startswith('#'):
                yield command


def inline_code(page: Path) -> list[str]:
    """What is between single backticks outside of blocks."""
    return re.findall(r'`([^`\n]+)`', _prose(page))


def links(page: Path) -> list[str]:
    """Targets of links and pictures."""
    return re.findall(r'\]\(([^)\s]+)\)', _prose(page))


def anchors(page: Path) -> set[str]:
    """The anchors that headings and the API's entries get."""
    text = _prose(page)
    headings = {
        re.sub(r'\s+', '-', re.sub(r'[^\w\s-]', '', heading.lower()).strip())
        for heading in re.findall(r'^#+ (.*)$', text, re.MULTILINE)
    }
    return headings | set(api_names(page))


def api_names(page: Path) -> list[str]:
    """The names that mkdocstrings documents on a page."""
    return re.findall(r'^::: (\S+)$', page.read_text(encoding='utf-8'), re.MULTILINE)


def _prose(page: Path) -> str:
    return _BLOCK.sub('', page.read_text(encoding='utf-8'))
