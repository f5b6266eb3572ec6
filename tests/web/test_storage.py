"""The private folder: for its user alone, gone at the end, and what killed servers left is removed."""

import os
import stat

import pytest

from daefr_arch.io.folder_lock import locked_folder
from daefr_arch.web.storage import PREFIX, private_folder


def test_it_is_private_and_gone_at_the_end(tmp_path):
    def work():
        with private_folder(tmp_path) as folder:
            assert stat.S_IMODE(folder.stat().st_mode) == 0o700
            (folder / 'job').mkdir()
            (folder / 'job/photo').write_text('private')
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        work()
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_server_left_is_removed_and_a_running_ones_is_not(tmp_path):
    left, others = tmp_path / f'{PREFIX}left', tmp_path / 'others'
    for folder in (left, others):
        folder.mkdir()
        (folder / 'photo').write_text('private')
    (tmp_path / f'{PREFIX}link').symlink_to(others)
    with private_folder(tmp_path) as first:
        assert not left.exists()
        (first / 'photo').write_text('at work')
        with private_folder(tmp_path) as second:
            assert first != second
            assert (first / 'photo').read_text() == 'at work'
    assert {path.name for path in tmp_path.iterdir()} == {'others', f'{PREFIX}link'}
    assert (others / 'photo').exists()


def test_a_folder_that_is_removed_meanwhile_is_no_error(tmp_path):
    with private_folder(tmp_path) as folder:
        for path in folder.iterdir():
            os.unlink(path)
        folder.rmdir()
    with private_folder(tmp_path) as folder, pytest.raises(Exception, match='another process'), locked_folder(folder):
        pass
