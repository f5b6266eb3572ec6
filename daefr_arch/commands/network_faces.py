"""`daefr network-faces`: the training data of the harmonising network."""

import argparse
import logging

from daefr_arch.commands.arguments import add_device, add_offline, add_output, count, device_of, share

GO_ON = 'the same command goes on where it stopped'

_logger = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of the command."""
    parser.add_argument(
        '-opt', '--opt', required=True, metavar='FILE', help='option file whose datasets.train draws the photos'
    )
    add_output(parser, 'for the strips: photo, network, truth')
    parser.add_argument(
        '--count', type=count, default=2000, metavar='N', help='strips in all; those that are there are kept'
    )
    parser.add_argument(
        '--degraded_again',
        type=share,
        default=0.5,
        metavar='SHARE',
        help='of the photos that the network is shown degraded once more, because it knows the faces that it was '
        'trained on: 0 for faces that it has never seen',
    )
    parser.add_argument('--model', default='daefr-lite', help='the restoration network: a name or a weight file')
    add_device(parser)
    add_offline(parser)


def run(args: argparse.Namespace) -> int:
    """Writes the strips; returns the exit code."""
    from daefr_arch import compat
    from daefr_arch.commands.exit_codes import OK

    compat.apply()
    from basicsr.data import build_dataset

    from daefr_arch.checkpoints import load_network
    from daefr_arch.data.network_faces import write_strips
    from daefr_arch.options.option_file import read_option_file
    from daefr_arch.options.run_options import check_run_options
    from daefr_arch.runtime.face_network import FaceNetwork

    options = read_option_file(args.opt)
    check_run_options(options, is_train=True)
    dataset = build_dataset({**options['datasets']['train'], 'phase': 'train'})
    network = FaceNetwork(load_network(args.model, offline=args.offline), device=device_of(args))
    written = write_strips(dataset, network, args.output, count=args.count, degraded_again=args.degraded_again)
    _logger.info('%s: %d strips written, %d in all', args.output, written, args.count)
    return OK
