"""`daefr similarity`: how far the encoders of both domains agree on where a patch is (Sec. 3.2, Eq. 4)."""

import argparse
import logging
from pathlib import Path

from daefr_arch.commands.arguments import (
    add_batch_size,
    add_device,
    add_ground_truth,
    add_input,
    device_of,
    output_file,
)

_logger = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of the command."""
    parser.add_argument(
        '--pair',
        action='append',
        required=True,
        metavar='NAME=HQ_FILE[,LQ_FILE]',
        help='HQ and LQ autoencoder, checkpoints of stage 1 or 2 or official ones; or one file with both encoders: an '
        'official association file, or a DAEFR. Again for every pair, such as before= and after=',
    )
    add_input(parser, 'degraded aligned faces: folder or glob')
    add_ground_truth(parser, 'the same faces in high quality, paired by file name', required=True)
    parser.add_argument(
        *('-o', '--output', '--output_path'),
        dest='output',
        type=output_file,
        default=Path('similarity.png'),
        metavar='FILE',
        help='heat maps; numbers go to .json beside it',
    )
    add_device(parser)
    add_batch_size(parser)
    parser.add_argument('--overwrite', action='store_true', help='replace results that exist (else: an error)')


def run(args: argparse.Namespace) -> int:
    """Draws the heat maps, writes and prints the numbers; returns the exit code: PARTIAL if images cannot be read."""
    from daefr_arch.analysis.codebook_files import load_encoder_pair
    from daefr_arch.analysis.similarity_figure import draw
    from daefr_arch.analysis.similarity_measurement import measure_pairs, to_json, to_text
    from daefr_arch.commands.exit_codes import OK, PARTIAL
    from daefr_arch.errors import InputError, UsageError
    from daefr_arch.io.atomic_file import make_folder, write_bytes
    from daefr_arch.io.image_listing import list_images
    from daefr_arch.io.pairing import pair_by_name
    from daefr_arch.restoration.output_layout import refuse_existing

    checkpoints = _parse_pairs(args.pair)
    figure = args.output
    if figure.suffix.lower() != '.png':
        raise UsageError(f'output: expected a name ending in .png, got {figure}')
    numbers = figure.with_suffix('.json')
    if not args.overwrite:
        refuse_existing([figure, numbers], '--overwrite or another --output')
    files = pair_by_name(list_images(args.input), list_images(args.ground_truth))
    device = device_of(args)
    try:
        pairs = {name: load_encoder_pair(*named) for name, named in checkpoints.items()}
    except InputError as error:
        raise UsageError(str(error)) from error
    similarities, failed = measure_pairs(
        pairs, files, device=device, batch_size=args.batch_size, progress=len(files) > 1
    )
    _logger.info('%s', to_text(similarities))
    make_folder(figure.parent)
    write_bytes(figure, draw(similarities))
    write_bytes(numbers, to_json(similarities, checkpoints=checkpoints, failed=failed).encode())
    _logger.info('%s, %s: %d images left out', figure, numbers, len(failed))
    return PARTIAL if failed else OK


def _parse_pairs(specs: list[str]) -> dict[str, list[str]]:
    """NAME=HQ_FILE[,LQ_FILE] each -> name -> its one or two files."""
    from daefr_arch.errors import UsageError

    pairs: dict[str, list[str]] = {}
    for spec in specs:
        name, _, files = spec.partition('=')
        named = files.split(',')
        if not name or not all(named) or len(named) > 2:
            raise UsageError(f'pair: expected NAME=HQ_FILE[,LQ_FILE], got {spec!r}')
        if name in pairs:
            raise UsageError(f'pair: the name {name!r} is given twice')
        pairs[name] = named
    return pairs
