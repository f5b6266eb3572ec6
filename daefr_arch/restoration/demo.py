"""The two photos that the dependencies carry, degraded, restored, and shown side by side."""

from collections import Counter
from pathlib import Path

import cv2
import numpy as np

from daefr_arch.data.degradation import DegradationParams, degrade
from daefr_arch.restoration.atomic_file import make_folder
from daefr_arch.restoration.contact_sheet import contact_sheet
from daefr_arch.restoration.image_file import read_image, write_image
from daefr_arch.restoration.output_layout import OutputLayout
from daefr_arch.restoration.photo_folder import restore_photos
from daefr_arch.restoration.restorer import DAEFRRestorer

DEGRADATION = DegradationParams(
    kernel_size=21,
    sigma_x=2.0,
    sigma_y=2.0,
    rotation=0.0,
    downsample=3.0,
    noise_sigma=6.0,
    noise_seed=0,
    jpeg_quality=60,
)
CONTACT_SHEET = 'before_after.png'
COLUMNS = ('degraded', 'restored', 'original')


def sample_photos() -> dict[str, np.ndarray]:
    """Name -> photo, BGR uint8 (H, W, 3): NASA's Eileen Collins and the US Navy's Grace Hopper, public domain."""
    import matplotlib
    from skimage.data import astronaut

    hopper = Path(matplotlib.get_data_path()) / 'sample_data' / 'grace_hopper.jpg'
    return {'astronaut': cv2.cvtColor(astronaut(), cv2.COLOR_RGB2BGR), 'grace_hopper': read_image(hopper).pixels}


def run_demo(restorer: DAEFRRestorer, root: Path, *, progress: bool = False) -> Counter[str]:
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
    originals = sample_photos()
    make_folder(root / 'degraded')
    sources = []
    for name, original in originals.items():
        degraded = degrade(original.astype(np.float32) / 255, DEGRADATION)
        sources.append(root / 'degraded' / f'{name}.png')
        write_image(sources[-1], np.rint(degraded * 255).astype(np.uint8))
    layout = OutputLayout(root)
    result = restore_photos(restorer, sources, layout, report=root / 'report.jsonl', progress=progress)
    rows = [
        [read_image(source).pixels, read_image(layout.result(source)).pixels, originals[source.stem]]
        for source in sources
        if layout.result(source).exists()
    ]
    write_image(root / CONTACT_SHEET, contact_sheet(rows, COLUMNS))
    return result.counts
