"""`daefr demo`: restores two sample photos that come with the dependencies; needs no network and no input."""

import argparse
import logging
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from daefr_arch.commands.arguments import add_device, add_output, device_of

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
    add_device(parser)


def run(args: argparse.Namespace) -> int:
    """Restores the photos and draws the contact sheet; returns OK, or FAILED if a photo was not restored."""
    from daefr_arch.commands.exit_codes import FAILED, OK
    from daefr_arch.restoration.restorer import DAEFRRestorer

    restorer = DAEFRRestorer(upscale=1, device=device_of(args), offline=True)
    counts = run_demo(restorer, args.output, progress=True)
    _logger.info('before and after: %s', args.output / CONTACT_SHEET)
    return OK if counts['ok'] == counts.total() else FAILED


def sample_photos() -> 'dict[str, np.ndarray]':
    """Name -> photo, BGR uint8 (H, W, 3): NASA's Eileen Collins and the US Navy's Grace Hopper, public domain."""
    import cv2
    import matplotlib
    from skimage.data import astronaut

    from daefr_arch.io.image_file import read_image

    hopper = Path(matplotlib.get_data_path()) / 'sample_data' / 'grace_hopper.jpg'
    return {'astronaut': cv2.cvtColor(astronaut(), cv2.COLOR_RGB2BGR), 'grace_hopper': read_image(hopper).pixels}


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
    import numpy as np

    from daefr_arch.data.degradation import DegradationParams, degrade
    from daefr_arch.io.atomic_file import make_folder
    from daefr_arch.io.contact_sheet import contact_sheet
    from daefr_arch.io.image_file import read_image, write_image
    from daefr_arch.restoration.output_layout import OutputLayout
    from daefr_arch.restoration.photo_folder import restore_photos

    degradation = DegradationParams(
        kernel_size=21,
        sigma_x=2.0,
        sigma_y=2.0,
        rotation=0.0,
        downsample=3.0,
        noise_sigma=6.0,
        noise_seed=0,
        jpeg_quality=60,
    )
    originals = sample_photos()
    make_folder(root / 'degraded')
    sources = []
    for name, original in originals.items():
        degraded = degrade(original.astype(np.float32) / 255, degradation)
        sources.append(root / 'degraded' / f'{name}.png')
        write_image(sources[-1], np.rint(degraded * 255).astype(np.uint8))
    layout = OutputLayout(root)
    result = restore_photos(restorer, sources, layout, report=root / 'report.jsonl', progress=progress)
    rows = [
        [read_image(source).pixels, read_image(layout.result(source)).pixels, originals[source.stem]]
        for source in sources
        if layout.result(source).exists()
    ]
    write_image(root / CONTACT_SHEET, contact_sheet(rows, COLUMNS, tile=TILE))
    return result.counts
