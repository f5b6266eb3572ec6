"""What arguments have in common: their types, the arguments that several subcommands take, files to be written.

A type is checked while arguments are parsed: before anything is imported, read or computed.
"""

import argparse
import math
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from daefr_arch.choices import BATCH_SIZE, DETECTORS, LARGEST_SIDE, LARGEST_UPSCALE
from daefr_arch.errors import UsageError

if TYPE_CHECKING:
    import torch


def whole_number(lowest: int, highest: float = math.inf) -> Callable[[str], int]:
    """A type: whole numbers from `lowest` to `highest`."""
    limits = f', {lowest} or more' if highest == math.inf else f' from {lowest} to {highest}'

    def parse(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = None
        if value is None or not lowest <= value <= highest:
            raise argparse.ArgumentTypeError(f'expected a whole number{limits}, got {text!r}')
        return value

    return parse


def number(lowest: float = -math.inf, highest: float = math.inf, *, above: float = -math.inf) -> Callable[[str], float]:
    """A type: finite numbers from `lowest`, or `above`, to `highest`."""
    bounds = ((above, f'above {above:g}'), (lowest, f'{lowest:g} or more'), (highest, f'{highest:g} or less'))
    limits = ', '.join(words for bound, words in bounds if math.isfinite(bound))

    def parse(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not (math.isfinite(value) and lowest <= value <= highest and value > above):
            raise argparse.ArgumentTypeError(f'expected a finite number{", " if limits else ""}{limits}, got {text!r}')
        return value

    return parse


count = whole_number(1)
count_or_none = whole_number(0)
side = whole_number(1, LARGEST_SIDE)
share = number(0, 1)
upscale = number(highest=LARGEST_UPSCALE, above=0)


def output_file(text: str) -> Path:
    """A type: a file that can be written, as far as that can be known before."""
    path = Path(text)
    try:
        if path.exists() and not path.is_file():
            kind = 'a folder' if path.is_dir() else 'neither file nor folder'
            raise argparse.ArgumentTypeError(f'expected a file to write, {text!r} is {kind}')
        _check_writable(path.parent)
    except OSError as error:
        raise argparse.ArgumentTypeError(f'{text!r} cannot be written: {error.strerror}') from error
    return path


def output_folder(text: str) -> Path:
    """A type: a folder that can be written to, or made."""
    try:
        _check_writable(Path(text))
    except OSError as error:
        raise argparse.ArgumentTypeError(f'{text!r} cannot be written: {error.strerror}') from error
    return Path(text)


def _check_writable(folder: Path) -> None:
    """The folder, or the nearest that is there above it, must be one that files can be put into."""
    there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not there.is_dir():
        raise argparse.ArgumentTypeError(f'expected a folder, {str(there)!r} is a file')
    if not os.access(there, os.W_OK | os.X_OK):
        raise argparse.ArgumentTypeError(f'nothing can be written to the folder {str(there)!r}')


def refuse_same_file(files: Mapping[str, Path | None]) -> None:
    """Raises UsageError where two of the arguments, name -> file, are to write one file."""
    seen: dict[Path, str] = {}
    for name, file in files.items():
        if file is not None and (other := seen.setdefault(file.absolute(), name)) != name:
            raise UsageError(f'{other} and {name}: expected two files, both are {file}')


def write_file(path: Path, text: str) -> None:
    """Writes a file of results, and makes its folder. Raises OutputError where that fails."""
    from daefr_arch.io.atomic_file import make_folder, write_bytes

    make_folder(path.parent)
    write_bytes(path, text.encode())


def add_input(parser: argparse.ArgumentParser, what: str, *, positional: bool = False, required: bool = True) -> None:
    """Adds -i; with `positional` the input can be named without it as well."""
    flags = '-i', '--input', '--input_path'
    if not positional:
        parser.add_argument(*flags, dest='input', required=required, metavar='PATH', help=what)
        return
    group = parser.add_mutually_exclusive_group(required=required)
    group.add_argument('input', nargs='?', default=argparse.SUPPRESS, metavar='INPUT', help=what)
    group.add_argument(*flags, dest='input', default=argparse.SUPPRESS, metavar='PATH', help='the same')


def add_output_file(parser: argparse.ArgumentParser, what: str) -> None:
    """Adds -o for a file, which can be named without it as well."""
    group = parser.add_mutually_exclusive_group(required=True)

    def parse(text: str) -> Path | str:  # argparse hands it the default of an argument that is not there, too
        return text if text is argparse.SUPPRESS else output_file(text)

    group.add_argument('output', nargs='?', type=parse, default=argparse.SUPPRESS, metavar='OUTPUT', help=what)
    flags = '-o', '--output', '--output_path'
    group.add_argument(
        *flags, dest='output', type=output_file, default=argparse.SUPPRESS, metavar='FILE', help='the same'
    )


def add_ground_truth(parser: argparse.ArgumentParser, what: str, *, required: bool = False) -> None:
    """Adds -g."""
    parser.add_argument('-g', '--ground_truth', required=required, metavar='PATH', help=what)


def add_output(parser: argparse.ArgumentParser, what: str, *, default: str | None = None) -> None:
    """Adds -o for a folder; it is required where there is no default."""
    parser.add_argument(
        *('-o', '--output', '--output_path'),
        dest='output',
        type=output_folder,
        default=None if default is None else Path(default),
        required=default is None,
        metavar='FOLDER',
        help=what,
    )


def add_has_aligned(parser: argparse._ActionsContainer) -> None:
    """Adds --has_aligned."""
    parser.add_argument(
        '--has_aligned', '--aligned', dest='has_aligned', action='store_true', help='inputs are cropped, aligned faces'
    )


def add_detection_model(parser: argparse._ActionsContainer) -> None:
    """Adds --detection_model."""
    parser.add_argument(
        '--detection_model',
        choices=DETECTORS,
        default='auto',
        metavar='NAME',
        help=f'face detector: {", ".join(DETECTORS)}; auto: the best that needs no download',
    )


def add_device(parser: argparse._ActionsContainer) -> None:
    """Adds --device."""
    parser.add_argument('--device', default='auto', help='auto, cpu, cuda, cuda:1, mps')


def add_batch_size(parser: argparse._ActionsContainer) -> None:
    """Adds --batch_size."""
    parser.add_argument(
        '--batch_size', type=count, default=BATCH_SIZE, metavar='N', help='faces at once; halved when memory runs out'
    )


def add_offline(parser: argparse._ActionsContainer) -> None:
    """Adds --offline."""
    parser.add_argument('--offline', action='store_true', help='never download anything')


def device_of(args: argparse.Namespace) -> 'torch.device':
    """The device that --device names. Raises UsageError where it is not there."""
    from daefr_arch.errors import InputError
    from daefr_arch.runtime.precision import resolve_device

    try:
        return resolve_device(args.device)
    except InputError as error:
        raise UsageError(str(error)) from error
