"""Every command line of the documentation is one that the program takes."""

import re
import shlex
from argparse import ArgumentParser, _SubParsersAction
from pathlib import Path

import pytest

from daefr_arch.commands.cli import COMMANDS, build_parser
from tests.docs.pages import DOCS, PAGES, ROOT, command_lines, inline_code, name

SCRIPTS = {
    'inference_daefr.py': 'restore',
    'evaluate.py': 'evaluate',
    'compare.py': 'compare',
    'convert_weights.py': 'convert',
}


def _arguments(line: str) -> list[str] | None:
    """The arguments of `daefr` that a command line stands for; None where it is another program."""
    words = shlex.split(line)
    if words[0] == 'daefr':
        return words[1:]
    if words[0] == 'torchrun' and 'daefr_arch.train' in words:
        return ['train', *words[words.index('daefr_arch.train') + 1 :]]
    if words[0] == 'python' and words[1].startswith('inference/'):
        return [SCRIPTS[Path(words[1]).name], *words[2:]]
    return None


def _flags(command: str) -> set[str]:
    """Of the command, and of its steps where it has some."""
    parsers = [_steps(build_parser(command))[command]]
    parsers += _steps(parsers[0]).values()
    return {flag for parser in parsers for flag in parser._option_string_actions}


def _steps(parser: ArgumentParser) -> dict[str, ArgumentParser]:
    return next((dict(action.choices) for action in parser._actions if isinstance(action, _SubParsersAction)), {})


def test_pages_show_commands():
    shown = {arguments[0] for page in PAGES for line in command_lines(page) if (arguments := _arguments(line))}
    assert shown >= set(COMMANDS) - {'demo', 'test'}  # the demo by `make demo`, test files inline


@pytest.mark.parametrize('page', PAGES, ids=name)
def test_command_lines_parse(page, capsys):
    for line in command_lines(page):
        arguments = _arguments(line)
        if arguments is not None:
            try:
                build_parser(arguments[0]).parse_args(arguments)
            except SystemExit:
                pytest.fail(f'{line}: {capsys.readouterr().err}')


@pytest.mark.parametrize('page', PAGES, ids=name)
def test_commands_in_the_text_have_their_flags(page):
    for code in inline_code(page):
        arguments = _arguments(code) if re.match(r'(daefr|torchrun|python) \w', code) else None
        if arguments:
            assert arguments[0] in COMMANDS, code
            flags = {word for word in arguments if re.match(r'--?[a-z]', word)}
            assert flags <= _flags(arguments[0]), code


def test_flags_of_restore_are_its_own():
    flags = {code.split()[0] for code in inline_code(DOCS / 'photos.md') if re.match(r'--?[a-z]', code)}
    assert len(flags) > 30
    assert flags <= _flags('restore') | {'--ignore_objects'}  # of convert


@pytest.mark.parametrize('page', PAGES, ids=name)
def test_make_targets_exist(page):
    targets = set(re.findall(r'^([a-z]+):', (ROOT / 'Makefile').read_text(), re.MULTILINE))
    lines = [*command_lines(page), *inline_code(page)]
    called = {match[1] for line in lines if (match := re.match(r'make ([a-z]+)\b', line))}
    assert called <= targets


@pytest.mark.parametrize('page', PAGES, ids=name)
def test_named_option_files_exist(page):
    for file in re.findall(r'\boptions/(?!mine)[\w/*]+\.yml', page.read_text(encoding='utf-8')):
        assert list(ROOT.glob(file)), file
