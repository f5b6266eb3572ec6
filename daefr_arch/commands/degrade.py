"""`daefr degrade`: a paired test set from a folder of high-quality faces."""

import argparse
import logging
from typing import TYPE_CHECKING

from daefr_arch.choices import COMPARED_FACE, LARGEST_SIDE
from daefr_arch.commands.arguments import add_input, add_output, count, count_or_none, number, whole_number

if TYPE_CHECKING:
    from daefr_arch.data.degradation import DegradationRanges

_logger = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of the command."""
    add_input(parser, 'folder of high-quality faces, with subfolders')
    add_output(parser, 'new folder for gt/, lq/ and params.csv')
    parser.add_argument('--seed', type=count_or_none, default=0, metavar='N', help='of all random draws')
    parser.add_argument(
        '--size',
        type=whole_number(0, LARGEST_SIDE),
        default=COMPARED_FACE,
        metavar='PIXELS',
        help='resize faces to this side; 0 keeps their size',
    )
    eq8 = parser.add_argument_group('ranges of Eq. 8, those of the paper at 512 pixels (halve pixels and r for 256)')
    eq8.add_argument(
        '--blur_kernel_size', type=count, nargs='+', default=[39, 41], metavar='N', help='pixels, odd; one is drawn'
    )
    for name, limits, what in (
        ('blur_sigma', [0.1, 15.0], 'pixels, of the Gaussian blur'),
        ('downsample_range', [0.8, 30.0], 'the factor r'),
        ('noise_range', [0.0, 20.0], 'standard deviation, of 255'),
        ('jpeg_range', [30.0, 100.0], 'quality'),
    ):
        eq8.add_argument(f'--{name}', type=number(0), nargs=2, default=limits, metavar=('LOW', 'HIGH'), help=what)
    parser.add_argument(
        '--turbulence',
        type=number(above=0),
        metavar='L',
        help='instead of Eq. 8, atmospheric turbulence over a path of L metres: 10000 (slight) to 40000 (severe)',
    )


def run(args: argparse.Namespace) -> int:
    """Writes the test set; returns the exit code: PARTIAL if some images could not be read."""
    from daefr_arch import compat
    from daefr_arch.commands.exit_codes import OK, PARTIAL

    compat.apply()
    from daefr_arch.data import test_set
    from daefr_arch.data.turbulence import TurbulenceConditions

    if args.turbulence is not None:
        degradation = test_set.turbulence(TurbulenceConditions(path_length=args.turbulence))
    else:
        degradation = test_set.eq8(_ranges(args))
    failed = test_set.write_test_set(
        args.input, args.output, degradation, seed=args.seed, size=args.size or None, progress=True
    )
    for reason in failed.values():
        _logger.error('left out: %s', reason)
    _logger.info('%s: gt/, lq/ and params.csv are written; %d images left out', args.output, len(failed))
    return PARTIAL if failed else OK


def _ranges(args: argparse.Namespace) -> 'DegradationRanges':
    """The ranges of the arguments. Raises UsageError for those that nothing can be drawn from."""
    from daefr_arch.data.degradation import DegradationRanges
    from daefr_arch.errors import InputError, UsageError

    try:
        keys = ('blur_kernel_size', 'blur_sigma', 'downsample_range', 'noise_range', 'jpeg_range')
        return DegradationRanges.read({key: getattr(args, key) for key in keys})
    except InputError as error:
        raise UsageError(str(error)) from error
