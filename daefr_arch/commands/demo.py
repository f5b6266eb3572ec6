"""`daefr demo`: restores two sample photos that come with other packages; needs no network and no input."""

import argparse
import logging
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from daefr_arch.commands.arguments import add_device, add_output
from daefr_arch.commands.restorer_arguments import add_backend

if TYPE_CHECKING:
    import numpy as np

    from daefr_arch.restoration.restorer import DAEFRRestorer

CONTACT_SHEET = 'before_after.png'
COLUMNS = ('degraded', 'restored', 'original')
TILE = 512  # pixels

_logger = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of the command."""
    add_output(parser, 'made if missing; results are replaced', default='demo')
    add_backend(parser)
    add_device(parser)


def run(args: argparse.Namespace) -> int:
    """Restores the photos and draws the contact sheet; returns OK, or FAILED if a photo was not restored."""
    from daefr_arch.commands.exit_codes import FAILED, OK
    from daefr_arch.errors import InputError, UsageError
    from daefr_arch.restoration.restorer import DAEFRRestorer

    try:
        restorer = DAEFRRestorer(upscale=1, device=args.device, backend=args.backend, offline=True)
    except InputError as error:
        raise UsageError(str(error)) from error
    counts = run_demo(restorer, args.output, progress=True)
    _logger.info('before and after: %s', args.output / CONTACT_SHEET)
    return OK if counts['ok'] == counts.total() else FAILED


# package -> where in it a photo lies: NASA's Eileen Collins and the US Navy's Grace Hopper, public domain
SAMPLES = {
    'astronaut': ('skimage', 'data/astronaut.png'),
    'grace_hopper': ('matplotlib', 'mpl-data/sample_data/grace_hopper.jpg'),
}


def sample_photos() -> 'dict[str, np.ndarray]':
    """Name -> photo, BGR uint8 (H, W, 3), read from the packages, which are not imported.

    Raises:
        UsageError: a package is not installed.
    """
    from daefr_arch.io.image_file import read_image

    return {name: read_image(_in_package(*place)).pixels for name, place in SAMPLES.items()}


def _in_package(package: str, file: str) -> Path:
    from importlib.util import find_spec

    from daefr_arch.errors import UsageError

    spec = find_spec(package)
    for folder in (spec and spec.submodule_search_locations) or ():
        if (Path(folder) / file).is_file():
            return Path(folder) / file
    raise UsageError(
        f'the sample photos are those of scikit-image and matplotlib, {package} has none here: make demo-light'
    )


def degraded(photo: 'np.ndarray') -> 'np.ndarray':
    """A photo (H, W, 3) uint8 as a bad one of the same size: blurred, small, noisy, compressed."""
    import cv2
    import numpy as np

    height, width = photo.shape[:2]
    blurred = cv2.GaussianBlur(photo.astype(np.float32), (21, 21), 2.0)
    small = cv2.resize(blurred, (width // 3, height // 3), interpolation=cv2.INTER_LINEAR)
    noisy = small + np.random.default_rng(0).normal(0, 6, small.shape)
    levels = np.rint(noisy).clip(0, 255).astype(np.uint8)
    compressed = cv2.imdecode(cv2.imencode('.jpg', levels, [cv2.IMWRITE_JPEG_QUALITY, 60])[1], cv2.IMREAD_COLOR)
    assert compressed is not None  # OpenCV reads what it has just written
    return cv2.resize(compressed, (width, height), interpolation=cv2.INTER_LINEAR)


def run_demo(restorer: 'DAEFRRestorer', root: Path, *, progress: bool = False) -> Counter[str]:
    """Restores the sample photos into `root`, and draws the contact sheet `before_after.png`.

    Args:
        restorer: its upscale must be 1, so that the photos can be compared.
        root: gets degraded/, CodeFormer's output folders, report.jsonl and the contact sheet; results are replaced.
        progress: show a progress bar.

    Returns:
        How many photos ended in each status of `restore_photos`.

    Raises:
        OutputError: something cannot be written.
    """
    from daefr_arch.io.atomic_file import make_folder
    from daefr_arch.io.contact_sheet import contact_sheet
    from daefr_arch.io.image_file import read_image, write_image
    from daefr_arch.restoration.output_layout import OutputLayout
    from daefr_arch.restoration.photo_folder import restore_photos

    originals = sample_photos()
    make_folder(root / 'degraded')
    sources = []
    for name, original in originals.items():
        sources.append(root / 'degraded' / f'{name}.png')
        write_image(sources[-1], degraded(original))
    layout = OutputLayout(root)
    result = restore_photos(restorer, sources, layout, report=root / 'report.jsonl', progress=progress)
    rows = [
        [read_image(source).pixels, read_image(layout.result(source)).pixels, originals[source.stem]]
        for source in sources
        if layout.result(source).exists()
    ]
    write_image(root / CONTACT_SHEET, contact_sheet(rows, COLUMNS, tile=TILE))
    return result.counts
