"""Workers in processes of their own: those that die are replaced, photos that kill are found, disks fill up."""

import json
import multiprocessing
import os
import random
import resource
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest

from daefr_arch.cluster.job import prepare_job
from daefr_arch.cluster.run_job import run_job
from daefr_arch.cluster.settings import PhotoOptions
from daefr_arch.cluster.single_worker import STARTS, single_worker
from daefr_arch.cluster.store import open_store
from daefr_arch.cluster.verify import verify_job
from daefr_arch.cluster.worker import ShardWorker
from daefr_arch.errors import StorageError
from tests.cluster.photos import CLEAN, KILLER, is_clean, make_tree, rows_of, tiny_restorer, write_photo

ROOT = Path(__file__).parents[2]
FORK = multiprocessing.get_context('fork')


def drive(output, build=tiny_restorer):
    """A run with one worker that is replaced when it dies."""
    with single_worker(ShardWorker(str(output), PhotoOptions(), build), method='fork') as schedule:
        return run_job(str(output), schedule)


def test_photos_that_kill_are_set_aside_and_the_others_restored(tmp_path):
    tree = make_tree(tmp_path / 'tree', 30)
    for name in ('0/deep/killer.png', '3/deep/killer.png'):
        write_photo(tree / name, corner=KILLER)
    prepare_job(str(tree), str(tmp_path / 'job'), shard_size=16)
    result = drive(tmp_path / 'job')
    killed = [row for row in rows_of(tmp_path / 'job') if row.status == 'killed']
    assert sorted(row.path for row in killed) == ['0/deep/killer.png', '3/deep/killer.png']
    assert {row.error_class for row in killed} == {'Killed'}
    assert result.statuses == {'no_face': 28, 'ok': 1, 'error': 1, 'killed': 2}
    assert is_clean(tmp_path / 'job') == CLEAN


def dies():
    os._exit(9)


def test_a_worker_that_dies_as_it_starts_is_given_up(tmp_path):
    write_photo(tmp_path / 'tree/a.png')
    prepare_job(str(tmp_path / 'tree'), str(tmp_path / 'job'))
    with pytest.raises(StorageError, match=r'dies as it starts \(exit code 9\)'):
        drive(tmp_path / 'job', dies)
    assert STARTS == 3


def test_drivers_and_workers_killed_at_random_moments_lose_nothing(tmp_path):
    """Two drivers at once, each with a worker; any of the four processes may go at any time."""
    tree, output = make_tree(tmp_path / 'tree', 200), tmp_path / 'job'
    prepare_job(str(tree), str(output), shard_size=25)
    chance = random.Random(5)
    drivers = {}
    kills = 0
    while kills < 14:
        for index in (0, 1):
            if index not in drivers or not drivers[index].is_alive():
                drivers[index] = FORK.Process(target=drive, args=(output, partial(tiny_restorer, pause=0.01)))
                drivers[index].start()
        time.sleep(chance.uniform(0.05, 0.5))
        driver = drivers[chance.choice((0, 1))]
        victim = chance.choice([driver.pid, *children(driver.pid)])
        if verify_is_left(output):
            os.kill(victim, signal.SIGKILL)
            kills += 1
        else:
            break
    assert kills >= 5
    for driver in drivers.values():
        driver.join(60)
    drive(output)
    assert is_clean(output) == CLEAN
    rows = rows_of(output)
    assert len({row.path for row in rows}) == len(rows) == 200
    assert {row.status for row in rows} == {'no_face', 'ok', 'error'}
    assert not [path for name in ('leases', 'attempts') for path in (output / name).iterdir()]


def children(pid):
    return [int(word) for word in Path(f'/proc/{pid}/task/{pid}/children').read_text().split()]


def verify_is_left(output):
    return len(open_store(str(output)).children('results')) < 8


def test_a_full_disk_loses_nothing_and_blames_nobody(tmp_path):
    """No file may be larger than some bytes, so that the larger results do not fit."""
    tree, output = make_tree(tmp_path / 'tree', 30), tmp_path / 'job'
    prepare_job(str(tree), str(output), shard_size=10)
    for _ in range(5):
        process = FORK.Process(target=with_small_files, args=(output, 1000))
        process.start()
        process.join(60)
        assert process.exitcode == 3
    found = verify_job(str(output))
    assert (found.shards_left, found.temporaries, found.duplicates) == (3, 0, 0)
    drive(output)
    assert is_clean(output) == CLEAN
    assert {row.status for row in rows_of(output)} == {'no_face', 'ok', 'error'}


def with_small_files(output, largest):
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # writing fails instead, as on a full disk
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest, largest))
    try:
        drive(output)
    except StorageError:
        os._exit(3)


def test_the_command_without_ray(tmp_path):
    """As a SLURM array calls it: no process but the command's own needs more than PyArrow."""
    for number in range(4):
        write_photo(tmp_path / f'tree/{number}.png', seed=number)

    def daefr(*words):
        return subprocess.run(
            [sys.executable, '-c', f'import sys; sys.modules["ray"] = None; {MAIN}', 'cluster', *words],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=200,
        )

    output = str(tmp_path / 'job')
    assert daefr('prepare', '-i', str(tmp_path / 'tree'), '-o', output, '--shard_size', '2').returncode == 0
    assert daefr('verify', '-o', output).returncode == 1
    without = daefr('run', '-o', output)
    assert without.returncode == 2
    assert "pip install 'daefr_arch[cluster]'" in without.stderr
    ran = daefr('run', '-o', output, '--shard', '0/1', '--device', 'cpu', '--offline', '-s', '1')
    assert ran.returncode == 0, ran.stderr
    assert '2 shards, 4 photos' in ran.stdout
    verified = daefr('verify', '-o', output)
    assert verified.returncode == 0
    assert 'missing 0, duplicates 0, temporaries 0' in verified.stdout
    assert json.loads((tmp_path / 'job/settings.json').read_text())['restorer.upscale'] == '1.0'


MAIN = 'from daefr_arch.commands.cli import main; sys.exit(main())'
