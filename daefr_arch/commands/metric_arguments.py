"""The arguments that `daefr evaluate` and `daefr compare` share."""

import argparse
from typing import TYPE_CHECKING

from daefr_arch.commands.arguments import add_device, device_of

if TYPE_CHECKING:
    from daefr_arch.evaluation.build import MetricSettings


def add_metric_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds what to measure, with what, and where."""
    parser.add_argument(
        '--metrics', nargs='+', help='fid lpips niqe ida lmd psnr ssim (all; without ground truth fid niqe)'
    )
    parser.add_argument('--skip_missing', action='store_true', help='report metrics without weights as missing')
    parser.add_argument('--fid_reference', default='ffhq', help='ffhq, ground-truth, folder, or .pth/.npz statistics')
    parser.add_argument('--identity_backend', default='arcface', help='arcface, dlib, or an .onnx file')
    parser.add_argument('--identity_unit', choices=('radians', 'degrees'), default='radians')
    parser.add_argument('--landmark_backend', choices=('awing', 'dlib'), default='awing')
    parser.add_argument('--lpips_net', choices=('vgg', 'alex'), default='vgg')
    add_device(parser)


def metric_settings(args: argparse.Namespace) -> 'MetricSettings':
    """What build_metrics is to know of the arguments."""
    from daefr_arch.evaluation.build import MetricSettings

    return MetricSettings(
        device=str(device_of(args)),
        lpips_net=args.lpips_net,
        fid_reference=args.fid_reference,
        identity_backend=args.identity_backend,
        identity_unit=args.identity_unit,
        landmark_backend=args.landmark_backend,
    )
