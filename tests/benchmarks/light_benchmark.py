"""Restoring photos by ONNX Runtime beside PyTorch: the start, a face, and what is installed."""

import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from functools import partial
from importlib.metadata import Distribution, PackageNotFoundError, distribution, requires
from pathlib import Path

import cv2
import torch
from packaging.requirements import Requirement

from daefr_arch.io.planes import to_pictures
from daefr_arch.restoration.backend import RestorerParts
from tests.benchmarks.row import Row, alternate
from tests.faces.photos import astronaut

REPETITIONS = 3
FACES = 4
# what the command does, in this interpreter's environment; `sys.modules` is empty of what the backend does not need
COMMAND = 'import sys, daefr_cli; sys.exit(daefr_cli.main("restore", *sys.argv[1:]))'


def light_rows() -> list[Row]:
    """Ratios are PyTorch's numbers over ONNX Runtime's, measured alternately."""
    start = alternate([lambda: _restore('onnx'), lambda: _restore('torch')], REPETITIONS)
    networks = [
        RestorerParts(backend, device='cpu', precision='fp32', offline=True).network(
            'daefr-lite', batch_size=FACES, compile=False
        )
        for backend in ('onnx', 'torch')
    ]
    rows = [Row('from the start to the first photo, onnx beside torch', *start, at_most=0.5, relative=True)]
    for count in (1, FACES):
        side = networks[0].face_size
        faces = to_pictures(torch.rand(count, 3, side, side).mul(2).sub(1).numpy())
        times = alternate([partial(network.restore, faces) for network in networks], REPETITIONS)
        seconds = [[value / count for value in of] for of in times]
        rows.append(Row(f'default model a face, batches of {count}, onnx beside torch', *seconds))
    sizes = [[_megabytes(_needed(extra))] for extra in ('', 'torch')]
    return [*rows, Row('installed, light beside torch', *sizes, at_most=0.1, relative=True, unit='MB')]


def _restore(backend: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        photo = Path(folder) / 'astronaut.png'
        cv2.imwrite(str(photo), astronaut())
        arguments = ['-i', str(photo), '-o', f'{folder}/results', '--offline', '--device', 'cpu', '--backend', backend]
        subprocess.run([sys.executable, '-c', COMMAND, *arguments], check=True, capture_output=True)


def _needed(extra: str) -> set[str]:
    """The distributions that are installed with the package and an extra, in this environment."""
    found: set[str] = set()
    todo = [('daefr_arch', extra)]
    while todo:
        name, extra = todo.pop()
        for line in _requirements(name):
            requirement = Requirement(line)
            wanted = requirement.marker is None or requirement.marker.evaluate({'extra': extra})
            key = re.sub(r'[-_.]+', '-', requirement.name).lower()
            if wanted and key not in found:
                found.add(key)
                todo += [(requirement.name, each) for each in ('', *requirement.extras)]
    return found


def _requirements(name: str) -> Iterable[str]:
    try:
        return requires(name) or ()
    except PackageNotFoundError:
        return ()


def _megabytes(names: Iterable[str]) -> float:
    return sum(_bytes(of) for of in map(_installed, names) if of) / 1e6


def _installed(name: str) -> Distribution | None:
    try:
        return distribution(name)
    except PackageNotFoundError:
        return None


def _bytes(of: Distribution) -> int:
    paths = (Path(str(file.locate())) for file in of.files or ())
    return sum(path.stat().st_size for path in paths if path.is_file())
