"""The command in fresh processes: help, imports, and one photo after the imports."""

import subprocess
import sys
import tempfile
from pathlib import Path

import cv2

from daefr_arch.restoration.output_layout import OutputLayout
from daefr_arch.restoration.photo_folder import restore_photos
from daefr_arch.restoration.restorer import DAEFRRestorer
from tests.benchmarks.row import Row, alternate
from tests.faces.photos import astronaut, grace_hopper

REPETITIONS = 3
FOLDER_PHOTOS = 16
# basicsr cannot be imported with torchvision since 0.17 without the module it looks for
BASELINE_IMPORTS = """
import sys, types
import torch, torchvision
from torchvision.transforms.functional import rgb_to_grayscale
module = types.ModuleType('torchvision.transforms.functional_tensor')
module.rgb_to_grayscale = rgb_to_grayscale
sys.modules[module.__name__] = module
import basicsr
"""
RESTORE = """
import sys, time
import daefr_arch.restoration.photo_folder, daefr_arch.restoration.restorer
from daefr_arch.commands.cli import main
start = time.perf_counter()
code = main(['restore', '-i', sys.argv[1], '-o', sys.argv[2], '--overwrite', '--offline'])
print(time.perf_counter() - start)
sys.exit(code)
"""


def command_rows() -> list[Row]:
    """Needs the package installed."""
    daefr = str(Path(sys.executable).with_name('daefr'))
    (help_seconds,) = alternate([lambda: _output(daefr, '--help')], 5)
    imports, baseline = alternate(
        [lambda: _python('-c', 'import daefr_arch'), lambda: _python('-c', BASELINE_IMPORTS)], REPETITIONS
    )
    return [
        Row('`daefr --help`', help_seconds, at_most=0.5),
        Row('imports, beside torch, torchvision, basicsr', imports, baseline, at_most=1.3, relative=True),
        Row('`daefr restore` of one photo after the imports, CPU', _restore_seconds(), at_most=3),
        _folder_row(),
    ]


def _restore_seconds() -> list[float]:
    with tempfile.TemporaryDirectory() as folder:
        photo = Path(folder) / 'astronaut.png'
        cv2.imwrite(str(photo), astronaut())
        outputs = [_python('-c', RESTORE, str(photo), f'{folder}/results') for _ in range(REPETITIONS)]
    return [float(output.split()[-1]) for output in outputs]


def _folder_row() -> Row:
    """Seconds a photo of a folder, end to end on the fastest device, with the share of each step in the name."""
    restorer = DAEFRRestorer(offline=True)
    with tempfile.TemporaryDirectory() as folder:
        sources = [Path(folder) / f'{index}.png' for index in range(FOLDER_PHOTOS)]
        for index, source in enumerate(sources):
            cv2.imwrite(str(source), (astronaut(), grace_hopper())[index % 2])
        layout = OutputLayout(Path(folder) / 'results')
        results = [
            restore_photos(restorer, sources, layout, report=layout.root / 'report.jsonl') for _ in range(REPETITIONS)
        ]
    shares = results[-1].throughput().partition('; ')[2]
    return Row(
        f'a photo of {FOLDER_PHOTOS}, {restorer.device.type}; {shares}', [r.elapsed / FOLDER_PHOTOS for r in results]
    )


def _python(*arguments: str) -> str:
    return _output(sys.executable, *arguments)


def _output(*arguments: str) -> str:
    return subprocess.run(arguments, check=True, capture_output=True, text=True).stdout
