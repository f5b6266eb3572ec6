"""2,000 tiny photos through two drivers on real Ray, while workers and drivers are killed and the disk fills up.

python -m tests.benchmarks.cluster_endurance [--photos 2000] [--seed 0]

Prints what was done to the job and what came of it, and fails where a photo is lost or there twice. As root, the
results lie on a small file system of their own that is filled up now and then; else that part is left out.
"""

import argparse
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from functools import partial
from pathlib import Path

from daefr_arch.cluster.job import done_shards, prepare_job, read_job
from daefr_arch.cluster.ray_workers import ray_workers
from daefr_arch.cluster.run_job import run_job
from daefr_arch.cluster.settings import PhotoOptions
from daefr_arch.cluster.store import open_store
from daefr_arch.cluster.verify import verify_job
from daefr_arch.cluster.worker import ShardWorker
from daefr_arch.errors import OutputError
from tests.cluster.photos import CLEAN, KILLER, make_tree, rows_of, tiny_restorer, workers_of, write_photo

SHARD_SIZE = 50
PAUSE = 0.05  # seconds a photo, so that there is something to interrupt
DISK = 48 << 20  # bytes of the small file system
FULL = 3.0  # seconds for which it is
DISTURBANCES = {'workers killed': 20, 'actors of Ray killed': 4, 'drivers killed': 3, 'disk full': 4}


def main() -> None:
    """Drives, disturbs and counts."""
    parser = argparse.ArgumentParser(prog='python -m tests.benchmarks.cluster_endurance', description=__doc__)
    parser.add_argument('--photos', type=int, default=2000)
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--drive', nargs=2, help='a driver: output, folder of Ray')
    args = parser.parse_args()
    if args.drive:
        drive(*args.drive)
        return
    with tempfile.TemporaryDirectory(prefix='daefr-', dir='/tmp') as folder:
        root = Path(folder)
        tree, output = make_tree(root / 'tree', args.photos), root / 'disk'
        write_photo(tree / '2/deep/killer.png', corner=KILLER)
        output.mkdir()
        is_small = subprocess.run(['mount', '-t', 'tmpfs', '-o', f'size={DISK}', 'tmpfs', output], check=False)
        try:
            job, _ = prepare_job(str(tree), str(output), shard_size=SHARD_SIZE)
            start = time.monotonic()
            done = disturb(root, output, job.shards, args, fills_up=is_small.returncode == 0)
            print(f'{job.photos} photos in {job.shards} shards; in {time.monotonic() - start:.0f} s: {dict(done)}')
            tell(output, args.photos + 1)
        finally:
            if is_small.returncode == 0:
                subprocess.run(['umount', output], check=True)


def disturb(root: Path, output: Path, shards: int, args: argparse.Namespace, *, fills_up: bool) -> Counter[str]:
    """Keeps two drivers going until the job is done; while there is work, kills and fills at random moments."""
    chance, done = random.Random(args.seed), Counter()
    left = dict(DISTURBANCES if fills_up else {**DISTURBANCES, 'disk full': 0})
    drivers: dict[int, subprocess.Popen[bytes]] = {}
    while len(done_shards(open_store(str(output)))) < shards:
        for index in (0, 1):
            if index not in drivers or drivers[index].poll() is not None:
                words = [sys.executable, '-m', 'tests.benchmarks.cluster_endurance', '--drive']
                words += [str(output), str(root / str(index))]
                drivers[index] = subprocess.Popen(words, stderr=subprocess.DEVNULL)
                done['drivers started'] += 1
        time.sleep(chance.uniform(0.2, 2))
        workers, actors = workers_of(output), actors_of(drivers[0].pid) + actors_of(drivers[1].pid)
        kinds = [kind for kind, count in left.items() for _ in range(count)]
        if not (workers and kinds):
            continue
        kind = chance.choice(kinds)
        left[kind] -= 1
        if kind == 'disk full':
            fill(output)
        elif kind == 'drivers killed':
            driver = drivers[chance.choice((0, 1))]
            driver.kill()
            driver.wait()
        else:
            with suppress(ProcessLookupError, IndexError):
                os.kill(chance.choice(workers if kind == 'workers killed' else actors), signal.SIGKILL)
        done[kind] += 1
    for driver in drivers.values():
        done[f'drivers ended with {driver.wait()}'] += 1
    drive(str(output), str(root / 'last'))  # clears what was left by those that were killed
    return done


def fill(output: Path) -> None:
    """Takes all that is left of the small file system, and gives it back."""
    ballast = output / 'ballast'
    try:
        with ballast.open('wb') as file:
            while True:
                file.write(bytes(1 << 12))
                file.flush()
    except OSError:
        pass
    time.sleep(FULL)
    ballast.unlink()


def actors_of(pid: int) -> list[int]:
    """The processes below this one that Ray has for shards."""
    found, below = [], [pid]
    while below:
        try:
            process = Path('/proc', str(below.pop()))
            for task in (process / 'task').iterdir():
                below += map(int, (task / 'children').read_text().split())
            if re.match(rb'ray::.*MapBatches', (process / 'cmdline').read_bytes()):
                found.append(int(process.name))
        except OSError:
            continue
    return found


def drive(output: str, folder: str) -> None:
    """A driver with a worker on a Ray of its own."""
    worker = ShardWorker(output, PhotoOptions(), partial(tiny_restorer, pause=PAUSE))
    with ray_workers(worker, 1, 1, on_gpus=False, init={'_temp_dir': folder}) as schedule:
        try:
            run_job(output, schedule)
        except OutputError as error:
            sys.exit(str(error))


def tell(output: Path, photos: int) -> None:
    """Prints what is there; fails unless all is."""
    found = verify_job(str(output))
    counts = {name: getattr(found, name) for name in CLEAN}
    rows = rows_of(output)
    print(f'{len(rows)} rows of {len({row.path for row in rows})} photos: {dict(found.statuses)}; {counts}')
    left = [name for name in ('leases', 'attempts', 'staging') for _ in (output / name).rglob('*')]
    print(f'left over: {len(left)}; layout {read_job(open_store(str(output))).layout}')
    assert counts == CLEAN
    assert len(rows) == photos
    assert found.statuses == {'no_face': photos - 3, 'ok': 1, 'error': 1, 'killed': 1}
    assert not left


if __name__ == '__main__':
    main()
