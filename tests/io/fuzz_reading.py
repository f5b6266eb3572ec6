"""Mutated image files, read one after the other: `python -m tests.io.fuzz_reading` prints what came of them as JSON.

Each is written to a file first, so that the one that a crash or a hang came of is still there.
"""

import argparse
import json
import random
import resource
import sys
import time
import traceback
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from daefr_arch.errors import InputError
from daefr_arch.io.image_file import page_count, read_image
from tests.io.sample_files import sample_files

MOST_PIXELS = 1_000_000
MOST_MEMORY = 1 << 30  # bytes beyond what the process has at its start
LARGE = 32  # MiB more than before
SLOW = 5.0  # seconds for a file of a few kilobytes
_STRIKING = (0, 1, 0x7F, 0x80, 0xFE, 0xFF)
_STRIKING_NUMBERS = (0, 1, 0x7FFF, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)


def mutated(rng: random.Random, data: bytes, others: Sequence[bytes]) -> bytes:
    """The file with one to four changes, most of them near its beginning, where the structure is."""
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 4))):
        place = int(len(changed) * rng.random() ** rng.choice((1, 3)))
        kind = rng.randrange(8)
        if kind == 0 and changed:
            changed[min(place, len(changed) - 1)] ^= 1 << rng.randrange(8)
        elif kind == 1:
            changed[place : place + 1] = bytes([rng.choice(_STRIKING)])
        elif kind == 2:
            changed[place : place + 4] = rng.choice(_STRIKING_NUMBERS).to_bytes(4, rng.choice(('little', 'big')))
        elif kind == 3:
            del changed[place:]
        elif kind == 4:
            del changed[place : place + rng.choice((1, 2, 4, 16, 100))]
        elif kind == 5:
            changed[place:place] = changed[place : place + rng.choice((1, 12, 100))]
        elif kind == 6:
            changed[place:place] = rng.randbytes(rng.choice((1, 4, 32)))
        else:
            changed[place:] = rng.choice(others)[place:]
    return bytes(changed)


def fuzz(folder: Path, *, mutations: int, seed: int) -> dict[str, object]:
    """Reads so many mutated files; what came of them, and of each that let something else out what and how."""
    samples = sample_files()
    memory = start_memory = _peak_mib()
    names = sorted(samples)
    others = [*samples.values()]
    counts: Counter[str] = Counter()
    escapes, slow, large = [], [], []
    path = folder / 'mutated'
    for index in range(mutations):
        name = names[index % len(names)]
        rng = random.Random(seed * 1_000_003 + index)
        path.write_bytes(mutated(rng, samples[name], others))
        start = time.perf_counter()
        try:
            photo = read_image(path, max_pixels=MOST_PIXELS, page=page_count(path) - 1)
            assert photo.pixels.shape[2] == 3
            assert photo.pixels.dtype in (np.uint8, np.uint16)
            assert photo.pixels[..., 0].size <= MOST_PIXELS
            counts['damaged' if photo.damaged else 'read'] += 1
        except InputError as error:
            counts['refused' if str(path) in str(error) else 'refused without a name'] += 1
        except BaseException as error:  # plug-ins raise some that are no Exception
            if isinstance(error, KeyboardInterrupt):
                raise
            (folder / f'escape_{index}_{name}').write_bytes(path.read_bytes())
            escapes.append(f'{index} {name}: ' + ''.join(traceback.format_exception(error, limit=-2)))
        if time.perf_counter() - start > SLOW:
            slow.append(f'{index} {name}')
        if _peak_mib() > memory + LARGE:
            memory = _peak_mib()
            large.append(f'{index} {name}: {memory - start_memory} MiB')
    grown = _peak_mib() - start_memory
    found = {'escapes': escapes, 'slow': slow, 'large': large}
    return {'counts': counts, 'samples': len(names), 'grown_mib': grown, **found}


def _peak_mib() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def limit_memory() -> None:
    """Allows this process MOST_MEMORY more than it has."""
    pages = int(Path('/proc/self/statm').read_text().split()[0])
    limit = pages * resource.getpagesize() + MOST_MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


if __name__ == '__main__':
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('folder', type=Path, help='where the files are written; those that escape stay there')
    parser.add_argument('--mutations', type=int, default=20_000)
    parser.add_argument('--seed', type=int, default=random.SystemRandom().randrange(2**31))
    arguments = parser.parse_args()
    sys.stdout.write(f'seed {arguments.seed}\n')
    sys.stdout.flush()
    cv2.setNumThreads(1)
    arguments.folder.mkdir(parents=True, exist_ok=True)
    limit_memory()
    result = fuzz(arguments.folder, mutations=arguments.mutations, seed=arguments.seed)
    sys.stdout.write(f'{json.dumps(result, indent=1)}\n')
    raise SystemExit(bool(result['escapes'] or result['slow']))
