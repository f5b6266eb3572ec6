"""Arguments of the commands that restore, and the restorer that they describe."""

import argparse
from typing import TYPE_CHECKING

from daefr_arch import choices
from daefr_arch.commands.arguments import (
    add_batch_size,
    add_detection_model,
    add_device,
    add_has_aligned,
    add_offline,
    count,
    count_or_none,
    number,
    share,
    upscale,
)

if TYPE_CHECKING:
    from daefr_arch.restoration.restorer import DAEFRRestorer


def add_detection_arguments(group: argparse._ArgumentGroup) -> None:
    """Adds how faces are found, and outlined."""
    add_detection_model(group)
    group.add_argument('--detection_weights', metavar='FILE', help='weights of the named detection model')
    group.add_argument(
        '--detection_score',
        type=share,
        default=choices.SCORE_THRESHOLD,
        metavar='SCORE',
        help='fainter detections are left out',
    )
    group.add_argument(
        '--min_face_size',
        type=number(0),
        default=choices.MIN_FACE_SIZE,
        metavar='PIXELS',
        help='so are smaller faces, in pixels of the input',
    )
    group.add_argument('--mask', choices=('feather', 'parse'), default='feather', help='soft square or parsed outline')
    group.add_argument('--parse_weights', metavar='FILE', help='weights of ParseNet, instead of a download')


def add_weight(group: argparse._ArgumentGroup) -> None:
    """Adds the fidelity."""
    group.add_argument(
        *('-w', '--weight', '--fidelity_weight'),
        dest='weight',
        type=share,
        metavar='W',
        help="fidelity: 0 for the network's face alone, 1 for all of the photo that could be evidence; if not given, "
        'each band of each place is taken from the photo as far as it shows the face',
    )


def add_face_arguments(group: argparse._ArgumentGroup) -> None:
    """Adds which faces of photos are restored, and how."""
    add_has_aligned(group)
    group.add_argument('--only_center_face', action='store_true', help='restore only the face nearest to the centre')
    add_weight(group)
    add_detection_arguments(group)
    group.add_argument(
        '--identity_weights', metavar='FILE', help='ONNX face embedding: the report says how similar faces stay'
    )


def add_photo_arguments(group: argparse._ArgumentGroup) -> None:
    """Adds how whole photos are made."""
    group.add_argument(
        *('-s', '--upscale'),
        type=upscale,
        default=choices.UPSCALE,
        metavar='SCALE',
        help='size of the result over that of the input',
    )
    add_background_arguments(group)
    group.add_argument(
        '--face_upsample', action='store_true', help='enlarge restored faces with --bg_upsampler before pasting'
    )


def add_photo_file_arguments(group: argparse._ArgumentGroup) -> None:
    """Adds what is read and written."""
    group.add_argument(
        '--ext',
        choices=('auto', 'png', 'jpg', 'webp'),
        default='auto',
        help="format of the results; auto: the photo's, png where that is none of these. Cut-out faces are png",
    )
    group.add_argument(
        '--max_pixels',
        type=count,
        default=choices.MAX_PIXELS,
        metavar='N',
        help='larger images are refused (decompression bombs)',
    )


def add_background_arguments(group: argparse._ArgumentGroup) -> None:
    """Adds how the photo around the faces is enlarged."""
    group.add_argument(
        '--bg_upsampler', type=str.lower, choices=('none', 'realesrgan'), default='none', help='none: Lanczos'
    )
    group.add_argument('--bg_weights', metavar='FILE', help='weights of Real-ESRGAN x2 or x4, instead of a download')
    group.add_argument(
        '--bg_tile',
        type=count_or_none,
        default=400,
        metavar='PIXELS',
        help='tile of Real-ESRGAN; 0: no tiles',
    )


def add_model_arguments(group: argparse._ArgumentGroup) -> None:
    """Adds the restoration network, and how it runs."""
    group.add_argument(
        '--model', default='daefr-lite', help='daefr-lite (comes with the package), daefr (download), or an ONNX file'
    )
    group.add_argument('--model_path', metavar='FILE', help='weight file instead: safetensors, .pth or official .ckpt')
    add_backend(group)
    add_device(group)
    group.add_argument(
        '--precision', choices=choices.PRECISIONS, default='auto', help='auto: the fastest of the device'
    )
    add_batch_size(group)
    group.add_argument(
        '--compile', action='store_true', help='torch.compile: takes minutes, less from the second start on; for GPUs'
    )
    add_offline(group)


def add_backend(group: argparse._ActionsContainer) -> None:
    """Adds --backend."""
    group.add_argument(
        '--backend',
        choices=choices.BACKENDS,
        default='auto',
        help='torch, or onnx (ONNX Runtime, without PyTorch); auto: torch where it is installed and the model is no '
        'ONNX file',
    )


def build_restorer(args: argparse.Namespace) -> 'DAEFRRestorer':
    """Loads the restorer. Raises UsageError for impossible options, WeightsError where weights are missing."""
    from daefr_arch.errors import InputError, UsageError

    try:
        return _restorer(args)
    except InputError as error:
        raise UsageError(str(error)) from error


def _restorer(args: argparse.Namespace) -> 'DAEFRRestorer':
    from daefr_arch.restoration.restorer import DAEFRRestorer

    return DAEFRRestorer(
        args.model,
        model_path=args.model_path,
        upscale=args.upscale,
        device=args.device,
        precision=args.precision,
        batch_size=args.batch_size,
        compile=args.compile,
        detector=args.detection_model,
        det_weights=args.detection_weights,
        det_score=args.detection_score,
        min_face_size=args.min_face_size,
        bg_upsampler=None if args.bg_upsampler == 'none' else args.bg_upsampler,
        bg_weights=args.bg_weights,
        bg_tile=args.bg_tile,
        face_upsample=args.face_upsample,
        mask=args.mask,
        parse_weights=args.parse_weights,
        identity_weights=args.identity_weights,
        backend=args.backend,
        offline=args.offline,
    )
