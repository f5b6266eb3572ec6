"""`daefr network-faces`: the training data of the harmonising network."""

import argparse
import logging

_logger = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of the command."""
    parser.add_argument('-opt', required=True, help='option file whose datasets.train draws the photos')
    parser.add_argument('-o', '--output', required=True, help='folder for the strips: photo, network, truth')
    parser.add_argument('--count', type=int, default=2000, help='strips in all; those that are there are kept')
    parser.add_argument('--model', default='daefr-lite', help='the restoration network: a name or a weight file')
    parser.add_argument('--device', default='auto')
    parser.add_argument('--offline', action='store_true', help='download nothing')


def run(args: argparse.Namespace) -> int:
    """Writes the strips; returns the exit code."""
    from daefr_arch import compat
    from daefr_arch.commands.exit_codes import OK

    compat.apply()
    from basicsr.data import build_dataset

    from daefr_arch.checkpoints import load_network
    from daefr_arch.data.network_faces import write_strips
    from daefr_arch.options.option_file import read_option_file
    from daefr_arch.runtime.face_network import FaceNetwork

    dataset = build_dataset({**read_option_file(args.opt)['datasets']['train'], 'phase': 'train'})
    network = FaceNetwork(load_network(args.model, offline=args.offline), device=args.device)
    written = write_strips(dataset, network, args.output, count=args.count)
    _logger.info('%s: %d strips written, %d in all', args.output, written, args.count)
    return OK
