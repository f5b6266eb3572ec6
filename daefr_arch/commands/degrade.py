"""`daefr degrade`: a paired test set from a folder of high-quality faces."""

import argparse
import logging

_logger = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of the command."""
    parser.add_argument('-i', '--input', required=True, help='folder of high-quality faces, with subfolders')
    parser.add_argument('-o', '--output', required=True, help='new folder for gt/, lq/ and params.csv')
    parser.add_argument('--seed', type=int, default=0, help='of all random draws')
    parser.add_argument('--size', type=int, default=512, help='resize faces to this side in pixels; 0 keeps their size')
    eq8 = parser.add_argument_group('ranges of Eq. 8, those of the paper at 512 pixels (halve pixels and r for 256)')
    eq8.add_argument('--blur_kernel_size', type=int, nargs='+', default=[39, 41], help='pixels, odd; one is drawn')
    for name, limits, what in (
        ('blur_sigma', [0.1, 15.0], 'pixels, of the Gaussian blur'),
        ('downsample_range', [0.8, 30.0], 'the factor r'),
        ('noise_range', [0.0, 20.0], 'standard deviation, of 255'),
        ('jpeg_range', [30.0, 100.0], 'quality'),
    ):
        eq8.add_argument(f'--{name}', type=float, nargs=2, default=limits, metavar=('LOW', 'HIGH'), help=what)
    parser.add_argument(
        '--turbulence',
        type=float,
        metavar='L',
        help='instead of Eq. 8, atmospheric turbulence over a path of L metres: 10000 (slight) to 40000 (severe)',
    )


def run(args: argparse.Namespace) -> int:
    """Writes the test set; returns the exit code: PARTIAL if some images could not be read."""
    from daefr_arch import compat
    from daefr_arch.commands.exit_codes import OK, PARTIAL

    compat.apply()
    from daefr_arch.data import test_set
    from daefr_arch.data.degradation import DegradationRanges
    from daefr_arch.data.turbulence import TurbulenceConditions

    if args.turbulence is not None:
        degradation = test_set.turbulence(TurbulenceConditions(path_length=args.turbulence))
    else:
        keys = ('blur_kernel_size', 'blur_sigma', 'downsample_range', 'noise_range', 'jpeg_range')
        ranges = DegradationRanges.read({key: getattr(args, key) for key in keys})
        degradation = test_set.eq8(ranges)
    failed = test_set.write_test_set(
        args.input, args.output, degradation, seed=args.seed, size=args.size or None, progress=True
    )
    for reason in failed.values():
        _logger.error('left out: %s', reason)
    _logger.info('%s: gt/, lq/ and params.csv are written; %d images left out', args.output, len(failed))
    return PARTIAL if failed else OK
