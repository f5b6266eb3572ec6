"""Measures everything, or the parts that are named, and prints the table; docs/speed.md has the newest of each machine.

python -m tests.benchmarks [PART ...], the parts being those of PARTS
"""

import argparse
import datetime
import os
from pathlib import Path

import torch

from tests.benchmarks import paste_benchmark
from tests.benchmarks.cluster_benchmark import cluster_rows
from tests.benchmarks.command_benchmark import command_rows
from tests.benchmarks.degradation_benchmark import degradation_rows
from tests.benchmarks.evidence_benchmark import evidence_rows
from tests.benchmarks.film_benchmark import film_rows
from tests.benchmarks.int8_benchmark import int8_rows
from tests.benchmarks.light_benchmark import light_rows
from tests.benchmarks.network_benchmark import network_rows
from tests.benchmarks.onnx_benchmark import onnx_rows
from tests.benchmarks.row import HEADER, Row
from tests.benchmarks.runs_benchmark import runs_rows
from tests.benchmarks.scaling_benchmark import scaling_rows
from tests.benchmarks.training_benchmark import training_rows


def main() -> None:
    """Runs the parts in turn and prints their rows, a part's when it is done."""
    parser = argparse.ArgumentParser(prog='python -m tests.benchmarks', description=__doc__)
    parser.add_argument('parts', nargs='*', type=_part, help='all of them, if none is named')
    parts = parser.parse_args().parts or list(PARTS)
    print(f'## {_heading()}\n\n{HEADER}')
    for part in parts:
        for row in PARTS[part]():
            print(row, flush=True)


def _part(name: str) -> str:
    if name not in PARTS:  # `choices` would refuse an empty list as well
        raise argparse.ArgumentTypeError(f'expected {", ".join(PARTS)}, got {name}')
    return name


def _heading() -> str:
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else 'no GPU'
    now = datetime.datetime.now(datetime.timezone.utc)
    return (
        f'{now:%Y-%m-%d %H:%M} UTC, {_cpu_name()}, {torch.get_num_threads()} threads, load {os.getloadavg()[0]:.1f}, '
        f'{device}, PyTorch {torch.__version__}'
    )


def _cpu_name() -> str:
    cpuinfo = Path('/proc/cpuinfo')
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    return next((line.partition(': ')[2] for line in lines if line.startswith('model name')), 'unknown CPU')


def _degradation() -> list[Row]:
    plain, one_core, batched = degradation_rows()
    baseline = [plain.mean_ms / 1e3]
    on_gpu = torch.cuda.is_available()
    return [
        Row(f'{one_core.name}, mean', [one_core.mean_ms / 1e3], baseline, at_least=2),
        Row(f'{batched.name}, mean', [batched.mean_ms / 1e3], baseline, at_most=1e-3 if on_gpu else None),
        *([] if on_gpu else [Row('degradation, degrade_batch(), cuda, mean', at_most=1e-3, note='needs a GPU')]),
    ]


def _paste() -> list[Row]:
    return [
        Row(f'paste of {row.faces} faces, 12 MP, upscale {row.upscale}', [row.ours], [row.facexlib], at_least=aim)
        for row, aim in zip(paste_benchmark.rows(), (10.0, 20.0), strict=True)
    ]


PARTS = {
    'network': network_rows,
    'evidence': evidence_rows,
    'onnx': onnx_rows,
    'int8': int8_rows,
    'training': training_rows,
    'degradation': _degradation,
    'paste': _paste,
    'command': command_rows,
    'light': light_rows,
    'runs': runs_rows,
    'films': film_rows,
    'scaling': scaling_rows,
    'cluster': cluster_rows,
}

if __name__ == '__main__':
    main()
