"""Workers on a real Ray, started here: killed ones are replaced, a photo that kills them is found."""

import os
import re
import signal
import threading
import time
from pathlib import Path

from daefr_arch.cluster.job import prepare_job
from daefr_arch.cluster.ray_workers import ray_workers
from daefr_arch.cluster.run_job import run_job
from daefr_arch.cluster.settings import PhotoOptions
from daefr_arch.cluster.worker import ShardWorker
from tests.cluster.photos import CLEAN, KILLER, is_clean, make_tree, rows_of, tiny_restorer, write_photo


def test_ray_replaces_workers_and_sets_the_killer_aside(tmp_path):
    tree, output = make_tree(tmp_path / 'tree', 60), tmp_path / 'job'
    write_photo(tree / '1/deep/killer.png', corner=KILLER)
    prepare_job(str(tree), str(output), shard_size=8)
    killed = threading.Event()
    threading.Thread(target=kill_a_worker, args=(killed,), daemon=True).start()
    worker = ShardWorker(str(output), PhotoOptions(), tiny_restorer)
    with ray_workers(worker, 2, 1, on_gpus=False, init={'_temp_dir': f'/tmp/daefr-{os.getpid()}'}) as schedule:
        result = run_job(str(output), schedule)
    assert killed.is_set()
    assert result.statuses['killed'] == 1
    assert result.shards == 8
    assert [row.path for row in rows_of(output) if row.status == 'killed'] == ['1/deep/killer.png']
    assert is_clean(output) == CLEAN


def kill_a_worker(killed):
    """The first one that Ray has for shards."""
    while not killed.is_set():
        for process in Path('/proc').glob('[0-9]*'):
            try:
                name = (process / 'cmdline').read_bytes()
                if re.match(rb'ray::.*MapBatches', name) and is_ours(process):
                    os.kill(int(process.name), signal.SIGKILL)
                    killed.set()
                    return
            except (OSError, ValueError):
                continue
        time.sleep(0.05)


def is_ours(process):
    """Whether it descends from this process."""
    while process.name not in ('0', '1', str(os.getpid())):
        process = Path('/proc', (process / 'stat').read_text().rpartition(')')[2].split()[1])
    return process.name == str(os.getpid())
