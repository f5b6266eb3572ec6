"""`daefr export`: a DAEFR as an ONNX file, and how near it is to PyTorch."""

import argparse
import logging
from typing import TYPE_CHECKING

from daefr_arch.choices import ONNX_LAYOUTS, ONNX_PRECISIONS
from daefr_arch.commands.arguments import add_offline, add_output_file

if TYPE_CHECKING:
    import numpy as np

_logger = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of the command."""
    add_output_file(parser, '.onnx file')
    parser.add_argument(
        '-m', '--model', default='daefr-lite', help='the restoration network: a name or a checkpoint of any kind'
    )
    parser.add_argument(
        '--precision',
        choices=ONNX_PRECISIONS,
        default='fp32',
        help='mixed: weights and convolutions in half precision, at half the size',
    )
    parser.add_argument(
        '--layout',
        choices=ONNX_LAYOUTS,
        default='daefr',
        help="codeformer: names, types and sizes of CodeFormer's ONNX files, for programs that load those",
    )
    parser.add_argument('--overwrite', action='store_true', help='replace a file that exists (else: an error)')
    add_offline(parser)


def run(args: argparse.Namespace) -> int:
    """Writes the file and prints its parity with PyTorch; returns the exit code."""
    from daefr_arch.commands.exit_codes import OK
    from daefr_arch.errors import UsageError
    from daefr_arch.exporting.export import export_daefr
    from daefr_arch.restoration.output_layout import refuse_existing

    if args.output.suffix != '.onnx':
        raise UsageError(f'expected an output ending in .onnx, got {args.output}')
    if not args.overwrite:
        refuse_existing([args.output], '--overwrite or another output')
    parities = export_daefr(
        args.output,
        args.model,
        faces=sample_faces,
        precision=args.precision,
        layout=args.layout,
        offline=args.offline,
    )
    _logger.info('%s: %.1f MB; ONNX Runtime beside PyTorch:', args.output, args.output.stat().st_size / 1e6)
    for parity in parities:
        _logger.info('%s', parity)
    return OK


def sample_faces(side: int) -> 'list[np.ndarray]':
    """Degraded aligned faces (side, side, 3) BGR uint8 of the photos of the demo."""
    from daefr_arch.commands.demo import sample_photos
    from daefr_arch.exporting.sample_faces import degraded_faces

    return degraded_faces(list(sample_photos().values()), side)
