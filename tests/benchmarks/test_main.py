import sys

import pytest

from tests.benchmarks import __main__ as benchmarks
from tests.benchmarks.row import Row


@pytest.mark.parametrize(('named', 'measured'), [((), 'ab'), (('b',), 'b')])
def test_parts_are_measured_and_printed(
    named: tuple[str, ...], measured: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setattr(benchmarks, 'PARTS', {name: lambda name=name: [Row(f'part {name}', [1.5])] for name in 'ab'})
    monkeypatch.setattr(sys, 'argv', ['benchmarks', *named])
    benchmarks.main()
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith('## ')
    for name in 'ab':
        assert any(line.startswith(f'| part {name} | 1.5 s |') for line in lines) == (name in measured)


def test_an_unknown_part_is_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, 'argv', ['benchmarks', 'nonsense'])
    with pytest.raises(SystemExit):
        benchmarks.main()
    assert 'expected network, evidence' in capsys.readouterr().err
