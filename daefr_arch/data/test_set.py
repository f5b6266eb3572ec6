"""Paired test sets: high-quality faces and what Eq. 8, or atmospheric turbulence, makes of them.

What is drawn for a face depends on the seed and the face's own name only, so faces can be added without changing the
others. The drawn parameters and the noise are the same on every machine; the pixels of `lq` are equal as long as the
versions of NumPy and OpenCV are, and differ by JPEG's rounding otherwise. Publish the PNGs, not the seed, where each
bit matters.
"""

import csv
import io
import zlib
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np

from daefr_arch.data.degradation import DegradationRanges, degrade, draw_params
from daefr_arch.data.turbulence import TurbulenceConditions, apply_turbulence
from daefr_arch.errors import InputError, UsageError
from daefr_arch.io.atomic_file import write_bytes
from daefr_arch.io.image_file import read_image, write_image
from daefr_arch.io.image_listing import list_images
from daefr_arch.io.photo import as_uint8
from daefr_arch.io.progress import ProgressBar
from daefr_arch.io.resize import resize_square

# image (H, W, 3) float32 BGR in [0, 1], generator -> degraded image, the drawn parameters
Degradation = Callable[[np.ndarray, np.random.Generator], tuple[np.ndarray, dict[str, float]]]


def eq8(ranges: DegradationRanges) -> Degradation:
    """The degradation of Eq. 8 with parameters drawn from `ranges`."""

    def apply(image: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, dict[str, float]]:
        params = draw_params(ranges, rng)
        return degrade(image, params), asdict(params)

    return apply


def turbulence(conditions: TurbulenceConditions) -> Degradation:
    """Atmospheric turbulence and nothing else, as in Table 4."""

    def apply(image: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, dict[str, float]]:
        seed = int(rng.random() * 2**32)
        result = apply_turbulence(image, conditions, seed=seed)
        return result, {'seed': seed, **asdict(conditions), 'd_over_r0': conditions.d_over_r0}

    return apply


def write_test_set(
    folder: str | Path,
    output: str | Path,
    degradation: Degradation,
    *,
    seed: int,
    size: int | None = 512,
    progress: bool = False,
) -> dict[str, str]:
    """Writes `gt/NAME.png`, `lq/NAME.png` and `params.csv` (a row a face) to `output`.

    Args:
        folder: of high-quality faces, with subfolders, which stay.
        output: a new or empty folder.
        degradation: `eq8(ranges)` or `turbulence(conditions)`.
        seed: of all draws.
        size: side in pixels that the square faces are resized to; None keeps their sizes.
        progress: whether to show a progress bar.

    Returns:
        image -> why it was left out.

    Raises:
        UsageError: `output` is not empty.
        InputError: `folder` holds no (readable) image.
    """
    folder, output = Path(folder), Path(output)
    if output.exists() and any(output.iterdir()):
        raise UsageError(f'{output}: not empty; name a new folder')
    paths = [path.relative_to(folder) for path in list_images(folder, recursive=True)]
    stems = Counter(path.with_suffix('') for path in paths)
    rows: list[dict[str, str | float]] = []
    failed = {}
    for path in ProgressBar(paths, unit='face', disable=not progress):
        stem = path if stems[path.with_suffix('')] > 1 else path.with_suffix('')
        name = f'{stem.as_posix()}.png'
        try:
            gt = as_uint8(read_image(folder / path, whole=True).pixels)
            gt = gt if size is None else resize_square(gt, size)
        except InputError as error:
            failed[path.as_posix()] = f'{path}: {error}'
            continue
        rng = np.random.default_rng([seed, zlib.crc32(name.encode())])
        lq, drawn = degradation(gt.astype(np.float32) / 255, rng)
        for part, image in (('gt', gt), ('lq', np.rint(lq * 255).astype(np.uint8))):
            (output / part / name).parent.mkdir(parents=True, exist_ok=True)
            write_image(output / part / name, image)
        rows.append({'name': name, **drawn})
    if not rows:
        raise InputError(f'{folder}: none of its {len(paths)} images can be used, as {next(iter(failed.values()))}')
    write_bytes(output / 'params.csv', _csv(rows).encode())
    return failed


def _csv(rows: list[dict[str, str | float]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]), lineterminator='\n')
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
