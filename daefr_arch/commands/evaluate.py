"""`daefr evaluate`: measures a folder of results."""

import argparse
import logging

_logger = logging.getLogger('daefr_arch')


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of the command."""
    parser.add_argument('results', help='folder of results; `name_00.png` of a restored face is paired with `name`')
    parser.add_argument('-g', '--ground-truth', '--ground_truth', help='folder of the same faces in high quality')
    parser.add_argument(
        '--metrics', nargs='+', help='fid lpips niqe ida lmd psnr ssim (all; without ground truth fid niqe)'
    )
    parser.add_argument(
        '--skip-missing', '--skip_missing', action='store_true', help='report metrics without weights as missing'
    )
    parser.add_argument(
        '--fid-reference', '--fid_reference', default='ffhq', help='ffhq, ground-truth, folder, or .pth/.npz statistics'
    )
    parser.add_argument(
        '--identity-backend', '--identity_backend', default='arcface', help='arcface, dlib, or an .onnx file'
    )
    parser.add_argument('--identity-unit', '--identity_unit', choices=('radians', 'degrees'), default='radians')
    parser.add_argument('--landmark-backend', '--landmark_backend', choices=('awing', 'dlib'), default='awing')
    parser.add_argument('--lpips-net', '--lpips_net', choices=('vgg', 'alex'), default='vgg')
    parser.add_argument('--device', default='auto', help='auto, cpu, cuda, cuda:1, ...')
    parser.add_argument('--csv', help='also write the numbers of every image there')
    parser.add_argument('--json', help='also write everything there')
    parser.add_argument('--summary', action='store_true', help='print the means only')


def run(args: argparse.Namespace) -> int:
    """Prints the report; returns the exit code: PARTIAL if a metric is missing."""
    from daefr_arch import cli, compat

    compat.apply()
    from daefr_arch.metrics.build import WITH_GROUND_TRUTH, WITHOUT_GROUND_TRUTH, MetricSettings, build_metrics
    from daefr_arch.metrics.evaluator import Evaluator
    from daefr_arch.restoration.atomic_file import write_bytes
    from daefr_arch.restoration.face_network import resolve_device

    settings = MetricSettings(
        device=str(resolve_device(args.device)),
        lpips_net=args.lpips_net,
        fid_reference=args.fid_reference,
        identity_backend=args.identity_backend,
        identity_unit=args.identity_unit,
        landmark_backend=args.landmark_backend,
    )
    names = args.metrics or (WITH_GROUND_TRUTH if args.ground_truth else WITHOUT_GROUND_TRUTH)
    metrics, missing = build_metrics(names, settings, skip_missing=args.skip_missing)
    report = Evaluator(metrics, missing=missing).run(args.results, args.ground_truth, progress=True)
    for path, content in ((args.csv, report.to_csv()), (args.json, report.to_json())):
        if path:
            write_bytes(path, content.encode())
    _logger.info('%s', report.to_text(per_image=not args.summary))
    return cli.PARTIAL if report.missing else cli.OK
