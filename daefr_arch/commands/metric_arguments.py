"""The arguments that `daefr evaluate` and `daefr compare` share."""

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from daefr_arch.evaluation.build import MetricSettings


def add_metric_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds what to measure, with what, and where."""
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


def metric_settings(args: argparse.Namespace) -> 'MetricSettings':
    """What build_metrics is to know of the arguments."""
    from daefr_arch.evaluation.build import MetricSettings
    from daefr_arch.runtime.precision import resolve_device

    return MetricSettings(
        device=str(resolve_device(args.device)),
        lpips_net=args.lpips_net,
        fid_reference=args.fid_reference,
        identity_backend=args.identity_backend,
        identity_unit=args.identity_unit,
        landmark_backend=args.landmark_backend,
    )
