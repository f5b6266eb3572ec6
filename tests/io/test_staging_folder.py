"""Folders for files on their way, of processes that live and of some that were killed."""

import multiprocessing
import os
import signal

from daefr_arch.io import atomic_file
from daefr_arch.io.staging_folder import staging_folder


def stay(root, pipe):
    with staging_folder(root) as folder:
        (folder / 'photo.png').write_bytes(b'half')
        pipe.send(folder)
        signal.pause()


def test_folders_of_killed_processes_go_and_of_living_ones_stay(tmp_path):
    context = multiprocessing.get_context('fork')
    ours, theirs = context.Pipe()
    process = context.Process(target=stay, args=(tmp_path, theirs))
    process.start()
    other = ours.recv()
    with staging_folder(tmp_path) as folder:
        assert sorted(tmp_path.iterdir()) == sorted((folder, other))
        assert (other / 'photo.png').exists()
    os.kill(process.pid, signal.SIGKILL)
    process.join(30)
    assert list(tmp_path.iterdir()) == [other]
    with staging_folder(tmp_path) as folder:
        assert list(tmp_path.iterdir()) == [folder]
    assert list(tmp_path.iterdir()) == []


def test_a_process_that_leaves_at_once_leaves_none(tmp_path):
    with staging_folder(tmp_path) as folder:
        (folder / 'inner').mkdir()
        (folder / 'inner/photo.png').touch()
        atomic_file.remove_temporaries()
        assert list(tmp_path.iterdir()) == []
