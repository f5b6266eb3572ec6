"""A worker on a real Ray, started here: killed ones are replaced, a photo that kills them is found."""

import os
import signal
import socket
import threading
import time
from contextlib import suppress

import pytest

from daefr_arch.cluster.job import prepare_job
from daefr_arch.cluster.ray_workers import ray_workers
from daefr_arch.cluster.run_job import run_job
from daefr_arch.cluster.settings import PhotoOptions
from daefr_arch.cluster.worker import ShardWorker
from daefr_arch.errors import UsageError
from tests.cluster.photos import CLEAN, KILLER, is_clean, make_tree, rows_of, tiny_restorer, workers_of, write_photo


def test_workers_on_ray_are_replaced_and_the_killer_set_aside(tmp_path):
    tree, output = make_tree(tmp_path / 'tree', 60), tmp_path / 'job'
    write_photo(tree / '1/deep/killer.png', corner=KILLER)
    prepare_job(str(tree), str(output), shard_size=8)
    killed = threading.Event()
    threading.Thread(target=kill_a_worker, args=(output, killed), daemon=True).start()
    worker = ShardWorker(str(output), PhotoOptions(), tiny_restorer)
    with ray_workers(worker, 1, 1, on_gpus=False, init={'_temp_dir': f'/tmp/daefr-{os.getpid()}'}) as schedule:
        result = run_job(str(output), schedule)
    assert killed.is_set()
    assert result.shards == 8
    assert result.statuses == {'no_face': 58, 'ok': 1, 'error': 1, 'killed': 1}
    assert [row.path for row in rows_of(output) if row.status == 'killed'] == ['1/deep/killer.png']
    assert is_clean(output) == CLEAN


def test_an_address_where_nobody_listens_is_said_at_once(tmp_path):
    with socket.create_server(('127.0.0.1', 0)) as server:
        address = f'127.0.0.1:{server.getsockname()[1]}'
    worker = ShardWorker(str(tmp_path), PhotoOptions(), tiny_restorer)
    for named in (address, f'ray://{address}'):
        with (
            pytest.raises(UsageError, match='Ray cannot be reached: Connection refused'),
            ray_workers(worker, 1, 1, address=named),
        ):
            pass


def kill_a_worker(output, killed):
    """The first one that has a shard."""
    while not killed.is_set():
        for pid in workers_of(output):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
                killed.set()
        time.sleep(0.01)
