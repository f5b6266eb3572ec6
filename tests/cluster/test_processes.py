"""Workers in processes of their own: those that die are replaced, photos that kill are found, disks fill up."""

import os
import random
import resource
import signal
import sys
import time
from contextlib import suppress
from functools import partial

import pytest

from daefr_arch.cluster import worker_process
from daefr_arch.cluster.job import prepare_job
from daefr_arch.cluster.run_job import run_job
from daefr_arch.cluster.settings import PhotoOptions
from daefr_arch.cluster.store import open_store
from daefr_arch.cluster.verify import verify_job
from daefr_arch.cluster.worker import ShardWorker
from daefr_arch.cluster.worker_process import process_context, single_worker
from daefr_arch.errors import OutputError, StorageError
from tests.cluster.photos import CLEAN, KILLER, is_clean, make_tree, rows_of, tiny_restorer, workers_of, write_photo


def drive(output, build=tiny_restorer):
    """A run with one worker that is replaced when it dies; ends with 3 where it cannot go on, and says why."""
    worker_process._METHOD = 'fork'  # of this process, which is a clean one: quicker than making another such
    try:
        with single_worker(ShardWorker(str(output), PhotoOptions(), build)) as schedule:
            run_job(str(output), schedule)
    except OutputError as error:
        sys.stderr.write(f'{error}\n')
        sys.exit(3)


def driver(output, **arguments):
    """A process that drives; it has begun."""
    process = process_context().Process(target=drive, args=(output,), kwargs=arguments)
    process.start()
    return process


def driven(output, **arguments):
    """The exit code of a run."""
    process = driver(output, **arguments)
    process.join(100)
    return process.exitcode


def test_photos_that_kill_are_set_aside_and_the_others_restored(tmp_path):
    tree = make_tree(tmp_path / 'tree', 30)
    write_photo(tree / '3/deep/killer.png', corner=KILLER)
    prepare_job(str(tree), str(tmp_path / 'job'), shard_size=8)
    assert driven(tmp_path / 'job') == 0
    killed = [row for row in rows_of(tmp_path / 'job') if row.status == 'killed']
    assert [(row.path, row.error_class) for row in killed] == [('3/deep/killer.png', 'Killed')]
    assert verify_job(str(tmp_path / 'job')).statuses == {'no_face': 28, 'ok': 1, 'error': 1, 'killed': 1}
    assert is_clean(tmp_path / 'job') == CLEAN


def dies():
    os._exit(9)


def test_a_worker_that_dies_as_it_starts_is_given_up(tmp_path):
    write_photo(tmp_path / 'tree/a.png')
    prepare_job(str(tmp_path / 'tree'), str(tmp_path / 'job'))
    worker = ShardWorker(str(tmp_path / 'job'), PhotoOptions(), dies)
    with single_worker(worker) as schedule, pytest.raises(StorageError, match=r'starts .exit code 9'):
        run_job(str(tmp_path / 'job'), schedule)


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
                drivers[index] = driver(output, build=partial(tiny_restorer, pause=0.01))
        time.sleep(chance.uniform(0.05, 0.5))
        victim = chance.choice([drivers[chance.choice((0, 1))].pid, *workers_of(output)])
        if len(open_store(str(output)).children('results')) == 8:
            break
        with suppress(ProcessLookupError):
            os.kill(victim, signal.SIGKILL)
            kills += 1
    assert kills >= 5
    for process in drivers.values():
        process.join(60)
    assert driven(output) == 0
    assert is_clean(output) == CLEAN
    rows = rows_of(output)
    assert len({row.path for row in rows}) == len(rows) == 200
    assert {row.status for row in rows} == {'no_face', 'ok', 'error'}
    assert not [path for name in ('leases', 'attempts') for path in (output / name).iterdir()]


def restorer_of_small_files():
    """Its process writes no larger ones: that fails, as on a full disk."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000))
    return tiny_restorer()


def test_a_full_disk_loses_nothing_and_blames_nobody(tmp_path):
    """No file may be larger than some bytes: small results fit, one with a face and what commits a shard do not."""
    tree, output = make_tree(tmp_path / 'tree', 30), tmp_path / 'job'
    prepare_job(str(tree), str(output), shard_size=10)
    for _ in range(2):
        assert driven(output, build=restorer_of_small_files) == 3
    found = verify_job(str(output))
    assert (found.shards_left, found.temporaries, found.duplicates) == (3, 0, 0)
    assert driven(output) == 0
    assert is_clean(output) == CLEAN
    assert {row.status for row in rows_of(output)} == {'no_face', 'ok', 'error'}
