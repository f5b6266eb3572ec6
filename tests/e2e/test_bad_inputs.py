"""The table of bad input: every row does what the documentation shows of it, and none stops the others."""

import json
import os
from pathlib import Path

import pytest

from daefr_arch.restoration.output_layout import OutputLayout
from daefr_arch.restoration.photo_folder import restore_photos
from daefr_arch.restoration.restorer import DAEFRRestorer
from tests.e2e.bad_inputs import BAD_INPUTS, sample
from tests.faces.photos import FakeNetwork, nothing_shown


@pytest.fixture(scope='module')
def lines(tmp_path_factory):
    """File name -> its lines of the report, of one run over all."""
    root = tmp_path_factory.mktemp('bad')
    folder, report = root / 'photos', root / 'report.jsonl'
    folder.mkdir()
    for row in BAD_INPUTS:
        (folder / row.file).write_bytes(row.make(sample()))
        if row.size is not None:
            os.truncate(folder / row.file, row.size)
    network = FakeNetwork(brightness=0.5)
    restorer = DAEFRRestorer(network, upscale=1, device='cpu', precision='fp32', fusion=nothing_shown(), offline=True)
    restore_photos(restorer, sorted(folder.iterdir()), OutputLayout(root / 'out'), report=report)
    found: dict[str, list[dict]] = {row.file: [] for row in BAD_INPUTS}
    for line in map(json.loads, report.read_text().splitlines()):
        found[Path(line['input']).name].append(line)
    return found


@pytest.mark.parametrize('row', BAD_INPUTS, ids=lambda row: row.file)
def test_a_row(row, lines):
    assert len(lines[row.file]) == (2 if row.file == 'pages.tif' else 1)
    for line in lines[row.file]:
        assert (line['status'], len(line['faces'])) == (row.status, row.faces)
        said = [line['error'].removeprefix(f'{line["input"]}: ')] if line['error'] else line['warnings']
        assert bool(said) == bool(row.says), said
        assert not row.says or said[0].startswith(row.says), said
        assert bool(line['outputs']) == (row.status != 'error')
        assert all(Path(path).exists() for paths in line['outputs'].values() for path in paths)
