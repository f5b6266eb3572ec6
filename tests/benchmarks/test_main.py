import sys
from pathlib import Path

import pytest

from tests.benchmarks import __main__ as benchmarks
from tests.benchmarks.row import Row


@pytest.mark.parametrize(('named', 'measured'), [((), 'ab'), (('b',), 'b')])
def test_parts_are_measured_and_appended(
    named: tuple[str, ...],
    measured: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    results = tmp_path / 'RESULTS.md'
    results.write_text('before')
    monkeypatch.setattr(benchmarks, 'RESULTS', results)
    monkeypatch.setattr(benchmarks, 'PARTS', {name: lambda name=name: [Row(f'part {name}', [1.5])] for name in 'ab'})
    monkeypatch.setattr(sys, 'argv', ['benchmarks', *named])
    benchmarks.main()
    text = results.read_text()
    assert text.startswith('before')
    for name in 'ab':
        assert (f'| part {name} | 1.5 s |' in text) == (name in measured)
    assert text.removeprefix('before').strip() == capsys.readouterr().out.strip()


def test_an_unknown_part_is_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, 'argv', ['benchmarks', 'nonsense'])
    with pytest.raises(SystemExit):
        benchmarks.main()
    assert 'expected network, training' in capsys.readouterr().err
