"""A hook of MkDocs: puts the table of bad input, made from the rows that a test runs, in place of its marker."""

from typing import Any

from tests.e2e.bad_inputs import BAD_INPUTS

MARKER = '<!-- bad input -->'


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Called by MkDocs for every page."""
    if MARKER not in markdown:
        return markdown
    rows = [f'| {row.what} | `{row.status}` | {row.says and f"{row.says} ..."} |' for row in BAD_INPUTS]
    return markdown.replace(MARKER, '\n'.join(['| input | status | what is said |', '|---|---|---|', *rows]))
