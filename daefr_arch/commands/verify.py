"""`daefr verify`: face verification on an LFW-style folder."""

import argparse
import logging

from daefr_arch.commands.arguments import (
    add_detection_model,
    add_device,
    add_has_aligned,
    add_input,
    add_offline,
    device_of,
    output_file,
    refuse_same_file,
    write_file,
)

_logger = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of the command."""
    add_input(parser, 'folder with name/name_0001.jpg, ...')
    parser.add_argument('--pairs', required=True, metavar='FILE', help="LFW's pairs.txt")
    parser.add_argument('--restore', action='store_true', help='restore every face before it is embedded')
    parser.add_argument('--model', default='daefr-lite', help='of --restore: name or weight file')
    add_has_aligned(parser)
    parser.add_argument('--identity_backend', default='arcface', help='arcface, dlib (needs no file), or an .onnx file')
    add_detection_model(parser)
    add_device(parser)
    add_offline(parser)
    parser.add_argument(
        '--roc', type=output_file, metavar='FILE', help='write the points of the ROC curve to this CSV file'
    )
    parser.add_argument('--json', type=output_file, metavar='FILE', help='write the numbers to this file')


def run(args: argparse.Namespace) -> int:
    """Prints accuracy and ROC; returns the exit code."""
    from daefr_arch import compat
    from daefr_arch.commands.exit_codes import OK

    compat.apply()
    from daefr_arch.faces.detector import build_detector
    from daefr_arch.metrics.face_embedding import build_embedder
    from daefr_arch.verification.face_verifier import FACE_SIZE, FaceVerifier
    from daefr_arch.verification.lfw import find_faces, read_pairs

    refuse_same_file({'--roc': args.roc, '--json': args.json})
    device = str(device_of(args))
    pairs = read_pairs(args.pairs)
    find_faces(args.input, pairs)  # a missing one is told before anything is loaded
    embedder = build_embedder(args.identity_backend, device=device)
    detector = None if args.has_aligned else build_detector(args.detection_model, device=device, offline=args.offline)
    restorer = None
    if args.restore:
        from daefr_arch.restoration.restorer import DAEFRRestorer

        restorer = DAEFRRestorer(args.model, device=device, offline=args.offline)
    verifier = FaceVerifier(
        embedder,
        detector=detector,
        restorer=restorer,
        face_size=restorer.face_size if restorer else FACE_SIZE,
    )
    report = verifier.run(args.input, pairs, progress=True)
    _logger.info('%s', report.to_text())
    for path, content in ((args.roc, report.roc_csv()), (args.json, report.to_json())):
        if path:
            write_file(path, content)
    return OK
