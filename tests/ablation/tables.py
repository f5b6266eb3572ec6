"""Running `daefr ablate` on the shipped tables at tiny size."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from daefr_arch.commands.cli import main
from daefr_arch.options.option_file import read_option_file
from tests.models.stages import ROOT

TABLES = ('table2', 'table6', 'fig7', 'table3')
FORCED = ('train:total_iter=4', 'logger:save_checkpoint_freq=2')
ROWS = {
    'table2': list('abcde'),
    'table6': ['L1', 'L2', 'CE'],
    'fig7': ['a', 'b'],
    'table3': [f's_lq={scale}' for scale in (0, 0.2, 0.4, 0.6, 0.8, 1.0)],
}
STAGES = ('stage1_hq', 'stage1_lq')  # that rows a and b of Table 2 start from
NAMES = ['astronaut_0', 'astronaut_1', 'hopper_0', 'hopper_1']  # of the faces


def table_file(table: str) -> Path:
    """A shipped table at tiny size."""
    return ROOT / f'options/ablation/tiny/{table}.yml'


def ablate(table: str | Path, *arguments: object, output: object = None, forced: Sequence[str] = FORCED) -> int:
    """Runs the command on a shipped table, or on a file; returns its exit code. output: results/TABLE, if None."""
    config = table if isinstance(table, Path) else table_file(table)
    output = output or f'results/{config.stem}'
    return main(['ablate', '--config', str(config), '-o', str(output), *map(str, arguments), '--force_yml', *forced])


def checkpoint(stem: str, label: str = 'g') -> Path:
    """What the training of a tiny option file writes in the working directory."""
    return Path(f'experiments/tiny_{stem}/models/net_{label}_latest.pth').absolute()


@dataclass
class TinyTables:
    """The folder where they were run, exit codes by table, and the stems of the option files trained for each."""

    folder: Path
    codes: dict[str, int] = field(default_factory=dict)
    trained: dict[str, list[str]] = field(default_factory=dict)

    def numbers(self, table: str) -> list[dict[str, str]]:
        """The rows of its table.csv."""
        with (self.folder / f'results/{table}/table.csv').open() as file:
            return list(csv.DictReader(file))


def two_rows(folder: Path, stages: Sequence[str] = STAGES) -> Path:
    """A table of rows a and b of the tiny table 2, written to `folder`."""
    content = read_option_file(table_file('table2'))
    content['stages'] = [str(ROOT / f'options/tiny/{stage}.yml') for stage in stages]
    content['rows'] = {name: content['rows'][name] for name in 'ab'}
    for row in content['rows'].values():
        row['options'] = str(table_file('table2').with_name(row['options']))
    file = folder / 'two.yml'
    file.write_text(yaml.safe_dump(content))
    return file
