"""Lines of a file that several processes write, one of which may be killed."""

import json
import multiprocessing
import os
from pathlib import Path

import pytest

from daefr_arch.io.json_lines import JsonLinesWriter, read_json_lines

LONG = 'x' * 100_000  # more than the system writes at a time


def write(path, name, count):
    with JsonLinesWriter(path) as lines:
        for number in range(count):
            lines.write({'name': name, 'number': number, 'long': LONG})


def test_lines_of_several_processes_are_whole_and_all_there(tmp_path):
    path = tmp_path / 'lines.jsonl'
    context = multiprocessing.get_context('fork')
    writers = [context.Process(target=write, args=(path, name, 30)) for name in 'abc']
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    for name in 'abc':
        assert [line['number'] for line in lines if line['name'] == name] == list(range(30))
    assert len(lines) == 90


@pytest.mark.parametrize(
    ('before', 'kept'),
    [
        (b'', []),
        (b'{"number": 1}\n', [1]),
        (b'{"number": 1}', [1]),  # a whole line that an editor left without its end
        (b'{"number": 1}\n{"number": 2, "na', [1]),
        (b'{"num', []),
        (b'{"number": 1}\n' + b'{"name": "' + b'y' * 200_000, [1]),
    ],
)
def test_what_a_killed_writer_left_of_a_line_is_cut_off(tmp_path, before, kept):
    path = tmp_path / 'lines.jsonl'
    path.write_bytes(before)
    assert [line['number'] for line in read_json_lines(path)] == kept
    with JsonLinesWriter(path) as lines:
        lines.write({'number': 9})
        lines.write({'number': 10})
    assert [json.loads(line)['number'] for line in path.read_bytes().splitlines()] == [*kept, 9, 10]


def test_other_lines_are_left_out_by_number(tmp_path, caplog):
    path = tmp_path / 'lines.jsonl'
    path.write_bytes(b'{"number": 1}\n[2]\nthree\n{"number": 4}\n')
    assert [line['number'] for line in read_json_lines(path)] == [1, 4]
    assert [record.getMessage().rpartition('line ')[2][0] for record in caplog.records] == ['2', '3']
    assert list(read_json_lines(tmp_path / 'missing')) == []


def test_names_that_are_no_text_come_back(tmp_path):
    name = os.fsdecode(b'caf\xe9.jpg')
    with JsonLinesWriter(tmp_path / 'lines.jsonl') as lines:
        lines.write({'input': name})
    (line,) = read_json_lines(tmp_path / 'lines.jsonl')
    assert Path(line['input']) == Path(name)
