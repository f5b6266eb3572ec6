"""What the subcommands' arguments have in common: spellings, types, help, files to be written, errors in one line."""

import argparse
import importlib

import pytest

from daefr_arch.commands import arguments, cli, exit_codes

# what each command needs besides the input
NEEDED = {
    'restore': [],
    'make-lmdb': ['-o', 'x.lmdb'],
    'degrade': ['-o', 'x'],
    'evaluate': [],
    'reconstruct': ['--path', 'hq'],
    'similarity': ['--pair', 'a=b', '-g', 'x'],
    'compare': ['a=b'],
    'verify': ['--pairs', 'x'],
    'convert': ['-o', 'x.safetensors'],
    'ablate': ['--config', 'x', '-o', 'x'],
}


def parser_of(command):
    parser = argparse.ArgumentParser()
    importlib.import_module(f'daefr_arch.commands.{cli.COMMANDS[command][0]}').add_arguments(parser)
    return parser


def parse(*words):
    return cli.build_parser(words[0]).parse_args(cli.with_underscores(words))


def refused(capsys, *words):
    with pytest.raises(SystemExit) as end:
        parse(*words)
    assert end.value.code == exit_codes.USAGE
    error = capsys.readouterr().err
    assert error.count('\n') == 1
    return error


@pytest.mark.parametrize('command', cli.COMMANDS)
def test_flags_are_documented_with_underscores_and_understood_with_hyphens(command):
    flags = [flag for action in parser_of(command)._actions for flag in action.option_strings if flag[:2] == '--']
    assert flags
    for flag in flags:
        assert '-' not in flag[2:]
        hyphens = '--' + flag[2:].replace('_', '-')
        assert cli.with_underscores([command, hyphens, f'{hyphens}=a-b', '--', hyphens]) == [
            *(command, flag, f'{flag}=a-b', '--', hyphens)
        ]


@pytest.mark.parametrize('command', NEEDED)
def test_input_is_i_everywhere(command):
    for flag in ('-i', '--input', '--input_path', '--input-path'):
        assert parse(command, flag, 'here', *NEEDED[command]).input == 'here'


def test_forms_without_a_flag(capsys):
    assert parse('evaluate', 'here', '--summary').input == 'here'
    assert parse('evaluate', '-i', 'here', '-g', 'there').ground_truth == 'there'
    args = parse('convert', 'a.ckpt', 'b.safetensors', '--half')
    assert (args.input, args.output.name) == ('a.ckpt', 'b.safetensors')
    args = parse('convert', '-o', 'b.safetensors', '-i', 'a.ckpt')
    assert (args.input, args.output.name) == ('a.ckpt', 'b.safetensors')
    assert parse('ablate', '--config', 'x', '-o', 'x', '--lq', 'here').input == 'here'
    assert 'not allowed with argument INPUT' in refused(capsys, 'evaluate', 'a', '-i', 'b')
    assert 'one of the arguments INPUT -i/--input/--input_path is required' in refused(capsys, 'evaluate')
    assert 'OUTPUT' in refused(capsys, 'convert', 'a.ckpt')


@pytest.mark.parametrize('command', cli.COMMANDS)
def test_help_tells_no_default_that_says_nothing(command, capsys):
    with pytest.raises(SystemExit):
        parse(command, '--help')
    text = ' '.join(capsys.readouterr().out.split())
    for nothing in ('None', 'False', 'True', '[]', '==SUPPRESS=='):
        assert f'(default: {nothing})' not in text
    assert nothing not in text


def test_help_tells_the_other_defaults(capsys):
    with pytest.raises(SystemExit):
        parse('restore', '--help')
    text = ' '.join(capsys.readouterr().out.split())
    for default in ('size of the result over that of the input (default: 2)', 'in pixels of the input (default: 12)'):
        assert default in text


@pytest.mark.parametrize(
    ('words', 'expected'),
    [
        *((['restore', '-s', text], f"above 0, 32 or less, got '{text}'") for text in ('inf', 'nan', '1e9', '0', 'x')),
        *((['restore', '--min_face_size', text], f"0 or more, got '{text}'") for text in ('nan', 'inf', '-1')),
        (['restore', '-w', '1.5'], 'expected a finite number, 0 or more, 1 or less'),
        (['restore', '--batch_size', '0'], "a whole number, 1 or more, got '0'"),
        (['restore', '--bg_tile', '-1'], "a whole number, 0 or more, got '-1'"),
        (['restore', '--max_pixels', '1e6'], "a whole number, 1 or more, got '1e6'"),
        (['make-lmdb', '--size', '0'], "a whole number from 1 to 16384, got '0'"),
        (['make-lmdb', '--workers', '0'], "a whole number, 1 or more, got '0'"),
        (['degrade', '--size', '99999'], 'a whole number from 0 to 16384'),
        (['degrade', '--seed', '-1'], "a whole number, 0 or more, got '-1'"),
        (['degrade', '--turbulence', 'inf'], "above 0, got 'inf'"),
        (['degrade', '--noise_range', '0', 'nan'], "0 or more, got 'nan'"),
        (['compare', '--face_size', '0'], "a whole number from 16 to 16384, got '0'"),
        (['compare', '-s', 'inf'], "above 0, 32 or less, got 'inf'"),
        (['compare', '-w', 'nan'], "0 or more, 1 or less, got 'nan'"),
        (['compare', '--page_faces', '-1'], 'a whole number, 0 or more'),
        (['ablate', '--strips', '-1'], 'a whole number, 0 or more'),
        (['similarity', '--batch_size', '0'], 'a whole number, 1 or more'),
        (['convert', '--resolution', '0'], 'a whole number from 1 to 16384'),
    ],
    ids=lambda value: ' '.join(value) if isinstance(value, list) else '',
)
def test_numbers_are_checked_before_anything_else(words, expected, capsys):
    command, *rest = words
    assert expected in refused(capsys, command, '-i', 'x', *rest, *NEEDED[command])


@pytest.mark.parametrize(
    ('command', 'flag'), [('restore', '--report'), ('evaluate', '--csv'), ('verify', '--roc'), ('verify', '--json')]
)
def test_files_to_write_are_checked_before_anything_else(command, flag, tmp_path, capsys):
    def error(name):
        return refused(capsys, command, '-i', 'x', *NEEDED[command], flag, str(tmp_path / name))

    (tmp_path / 'file').touch()
    assert 'is a folder' in error('')
    assert f"expected a folder, '{tmp_path}/file' is a file" in error('file/numbers')
    assert 'File name too long' in error('n' * 300)
    assert f"argument {flag}: expected a file to write, '/dev/null' is neither" in error('/dev/null')
    (tmp_path / 'closed').mkdir()
    parse(command, '-i', 'x', *NEEDED[command], flag, str(tmp_path / 'closed/new/numbers'))


def test_folders_that_cannot_be_written(tmp_path, capsys, monkeypatch):
    (tmp_path / 'file').touch()
    assert 'is a file' in refused(capsys, 'restore', '-i', 'x', '-o', str(tmp_path / 'file/results'))
    monkeypatch.setattr(arguments.os, 'access', lambda path, mode: False)  # as of a file system that is read-only
    assert 'nothing can be written to' in refused(capsys, 'restore', '-i', 'x', '-o', str(tmp_path / 'results'))


def test_unknown_arguments_are_told_with_what_is_near(capsys):
    expected = 'daefr restore: error: unknown arguments: --skip_existng; is --skip_existing meant? (see'
    assert refused(capsys, 'restore', '-i', 'x', '--skip-existng').startswith(expected)
    assert 'daefr demo: error: unknown arguments: photo.jpg (see' in refused(capsys, 'demo', 'photo.jpg')


def test_two_results_in_one_file_are_refused(tmp_path, caplog):
    numbers = str(tmp_path / 'numbers')
    assert cli.main(['evaluate', str(tmp_path), '--csv', numbers, '--json', numbers]) == exit_codes.USAGE
    assert '--csv and --json: expected two files' in caplog.text
