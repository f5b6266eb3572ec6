"""`daefr verify`: face verification on an LFW-style folder."""

import argparse
import logging

_logger = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of the command."""
    parser.add_argument('-i', '--input', required=True, help='folder with name/name_0001.jpg, ...')
    parser.add_argument('--pairs', required=True, help="LFW's pairs.txt")
    parser.add_argument('--restore', action='store_true', help='restore every face before it is embedded')
    parser.add_argument('--model', default='daefr-lite', help='of --restore: name or weight file')
    parser.add_argument(
        '--has_aligned', '--aligned', action='store_true', help='images are FFHQ-aligned faces; nothing is detected'
    )
    parser.add_argument(
        '--identity-backend', '--identity_backend', default='arcface', help='arcface, dlib, or an .onnx file'
    )
    parser.add_argument('--detection_model', default='auto', help='face detector')
    parser.add_argument('--device', default='auto', help='auto, cpu, cuda, cuda:1, ...')
    parser.add_argument('--offline', action='store_true', help='never download anything')
    parser.add_argument('--roc', help='write the points of the ROC curve to this CSV file')
    parser.add_argument('--json', help='write the numbers to this file')


def run(args: argparse.Namespace) -> int:
    """Prints accuracy and ROC; returns the exit code."""
    from daefr_arch import compat
    from daefr_arch.commands.exit_codes import OK

    compat.apply()
    from daefr_arch.faces.detector import build_detector
    from daefr_arch.io.atomic_file import write_bytes
    from daefr_arch.metrics.face_embedding import build_embedder
    from daefr_arch.runtime.precision import resolve_device
    from daefr_arch.verification.face_verifier import FACE_SIZE, FaceVerifier
    from daefr_arch.verification.lfw import read_pairs

    device = str(resolve_device(args.device))
    pairs = read_pairs(args.pairs)
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
    for path, content in ((args.roc, report.roc_csv()), (args.json, report.to_json())):
        if path:
            write_bytes(path, content.encode())
    _logger.info('%s', report.to_text())
    return OK
