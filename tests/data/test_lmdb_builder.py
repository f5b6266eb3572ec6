import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import lmdb
import numpy as np
import pytest
import torch
from basicsr.data import build_dataset
from basicsr.data.data_util import paired_paths_from_lmdb
from basicsr.utils import FileClient, imfrombytes

from daefr_arch.data import lmdb_builder
from daefr_arch.data.lmdb_builder import build_lmdb, make_keys, verify_lmdb
from daefr_arch.errors import InputError, OutputError, UsageError
from daefr_arch.io.folder_lock import locked_folder
from tests.data.faces import face

NAMES = ('one.png', 'nested/zwei ß.jpg', 'nested/deep/3.3%.webp')


@pytest.fixture
def folder(tmp_path):
    for i, name in enumerate(NAMES):
        path = tmp_path / 'faces' / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(cv2.imencode(path.suffix, np.rot90(face(48), i))[1].tobytes())
    return tmp_path / 'faces'


def test_keys_are_ascii_without_dots_and_distinct():
    keys = make_keys([Path('a/ß x.png'), Path('b.png'), Path('b.jpg'), Path('3.3%.webp')])
    assert keys == ['a/%C3%9F%20x', 'b%2Epng', 'b%2Ejpg', '3%2E3%25']


def test_basicsr_reads_every_image(folder, tmp_path):
    path = tmp_path / 'faces.lmdb'
    report = build_lmdb(folder, path)
    assert (report.written, report.resumed, report.failed) == (3, 0, {})
    assert sorted(p.name for p in path.iterdir()) == ['data.mdb', 'lock.mdb', 'meta_info.txt']
    assert not path.with_name('faces.lmdb.partial').exists()
    keys = [pair['lq_path'] for pair in paired_paths_from_lmdb([str(path), str(path)], ['lq', 'gt'])]
    client = FileClient('lmdb', db_paths=str(path))
    for name, key in zip(sorted(NAMES), keys, strict=True):
        expected = cv2.imdecode(np.fromfile(folder / name, np.uint8), cv2.IMREAD_COLOR)
        np.testing.assert_allclose(imfrombytes(client.get(key)).astype(int), expected, atol=2)  # two JPEG decoders
    client.client._client['default'].close()
    assert verify_lmdb(path) == 3


def test_dataset_yields_the_same_from_folder_and_lmdb(folder, tmp_path):
    for path in folder.rglob('*.*'):  # one decoder for both
        path.write_bytes(cv2.imencode('.png', face(48))[1].tobytes())
    path = tmp_path / 'faces.lmdb'
    build_lmdb(folder, path)
    opt = {'name': 'faces', 'type': 'DAEFRDegradationDataset', 'gt_size': 48}
    disk = build_dataset({**opt, 'dataroot_gt': str(folder)})
    stored = build_dataset({**opt, 'dataroot_gt': str(path), 'io_backend': {'type': 'lmdb'}})
    assert len(disk) == len(stored) == 3
    for i in range(3):
        assert torch.equal(disk[i]['lq'], stored[i]['lq'])
        assert torch.equal(disk[i]['gt'], stored[i]['gt'])
    assert [stored[i]['gt_path'] for i in range(3)] == make_keys([Path(name) for name in sorted(NAMES)])


def test_size_resizes(folder, tmp_path):
    build_lmdb(folder, tmp_path / 'faces.lmdb', size=32)
    assert '(32,32,3) 1' in (tmp_path / 'faces.lmdb' / 'meta_info.txt').read_text()


def test_unreadable_images_are_reported_and_left_out(folder, tmp_path):
    path = folder / 'nested/zwei ß.jpg'
    path.write_bytes(path.read_bytes()[:-100])
    report = build_lmdb(folder, tmp_path / 'faces.lmdb')
    assert report.written == 2
    assert list(report.failed) == ['nested/zwei ß.jpg']
    assert 'zwei ß.jpg' in report.failed['nested/zwei ß.jpg']
    for image in folder.rglob('*.*'):
        image.write_bytes(b'no image')
    with pytest.raises(InputError, match='none of its 3 images'):
        build_lmdb(folder, tmp_path / 'none.lmdb')


def test_a_killed_run_is_resumed(tmp_path):
    folder = tmp_path / 'faces'
    folder.mkdir()
    for i in range(40):
        (folder / f'{i}.png').write_bytes(cv2.imencode('.png', np.roll(face(256), i, axis=0))[1].tobytes())
    path = tmp_path / 'faces.lmdb'
    program = (
        'from daefr_arch.data import lmdb_builder as b\n'
        f'b.IMAGES_PER_COMMIT = 2\nb.build_lmdb({str(folder)!r}, {str(path)!r}, compress_level=9, workers=1)'
    )
    process = subprocess.Popen([sys.executable, '-c', program])
    meta = path.with_name('faces.lmdb.partial') / 'meta_info.txt'
    while not (meta.exists() and meta.stat().st_size) and process.poll() is None:
        time.sleep(0.001)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not path.exists()
    listed = meta.read_text().count('\n')
    with meta.open('a') as file:
        file.write('7.png (256,25')  # as if the kill had hit this write
    with pytest.raises(UsageError, match='other settings'):
        build_lmdb(folder, path, compress_level=1)
    report = build_lmdb(folder, path, compress_level=9)
    assert 2 <= listed < 40
    assert (report.resumed, report.written) == (listed, 40 - listed)
    assert verify_lmdb(path) == 40
    assert len((path / 'meta_info.txt').read_text().splitlines()) == 40


def test_a_second_run_beside_the_first_is_refused(folder, tmp_path):
    partial = tmp_path / 'faces.lmdb.partial'
    partial.mkdir()
    with locked_folder(partial):
        with pytest.raises(UsageError, match=r'faces\.lmdb\.partial: another process is writing it'):
            build_lmdb(folder, tmp_path / 'faces.lmdb')
    assert build_lmdb(folder, tmp_path / 'faces.lmdb').written == 3
    assert sorted(p.name for p in (tmp_path / 'faces.lmdb').iterdir()) == ['data.mdb', 'lock.mdb', 'meta_info.txt']


def test_the_map_grows_with_the_records(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(lmdb_builder, 'FIRST_MAP_SIZE', 1 << 13)
    with pytest.raises(lmdb.MapFullError), lmdb.open(str(tmp_path / 'small'), map_size=1 << 13) as environment:
        with environment.begin(write=True) as transaction:
            transaction.put(b'one', bytes(1 << 14))
    assert build_lmdb(folder, tmp_path / 'faces.lmdb').written == 3
    assert verify_lmdb(tmp_path / 'faces.lmdb') == 3


def test_a_limit_of_address_space(folder, tmp_path):
    program = (
        'import resource, sys\nfrom daefr_arch.data import lmdb_builder\n'
        'used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()\n'
        'resource.setrlimit(resource.RLIMIT_AS, (used + (1 << 30),) * 2)\n'
        'print(lmdb_builder.build_lmdb(sys.argv[1], sys.argv[2], workers=1).written)'
    )
    arguments = [sys.executable, '-c', program, str(folder), str(tmp_path / 'faces.lmdb')]
    done = subprocess.run(arguments, capture_output=True, text=True)
    assert done.stdout == '3\n', done.stderr


def test_address_space_or_a_disk_that_is_full_is_told(folder, tmp_path, monkeypatch):
    class Full:
        def path(self):
            return 'here'

        def info(self):
            return {'map_size': 1 << 28}

        def begin(self, write):
            raise self.error

        def set_mapsize(self, size):
            raise lmdb.MemoryError('Cannot allocate memory')

    full = Full()
    full.error = lmdb.MapFullError('full')
    with pytest.raises(OutputError, match=r'512 MiB are refused .*ulimit -v'):
        lmdb_builder._commit(full, {b'a': b'b'})
    full.error = lmdb.DiskError('No space left on device')
    with pytest.raises(OutputError, match='here: cannot be written: No space left'):
        lmdb_builder._commit(full, {b'a': b'b'})


def test_wrong_or_taken_names_are_refused(folder, tmp_path):
    with pytest.raises(UsageError, match=r'end with \.lmdb'):
        build_lmdb(folder, tmp_path / 'faces')
    os.mkdir(tmp_path / 'faces.lmdb')
    with pytest.raises(UsageError, match='exists already'):
        build_lmdb(folder, tmp_path / 'faces.lmdb')


@pytest.mark.parametrize('damage', ['missing', 'truncated', 'shape'])
def test_verification_names_damaged_records(folder, tmp_path, damage):
    path = tmp_path / 'faces.lmdb'
    build_lmdb(folder, path)
    with lmdb.open(str(path), map_size=1 << 24) as environment, environment.begin(write=True) as transaction:
        if damage == 'missing':
            transaction.delete(b'one')
        elif damage == 'truncated':
            transaction.put(b'one', transaction.get(b'one')[:-60])
        else:
            transaction.put(b'one', cv2.imencode('.png', face(20))[1].tobytes())
    with pytest.raises(InputError, match='1 of 3 records are missing or damaged: one'):
        verify_lmdb(path)
    dataset = build_dataset(
        {
            'name': 'faces',
            'type': 'DAEFRDegradationDataset',
            'dataroot_gt': str(path),
            'io_backend': {'type': 'lmdb'},
            'gt_size': 48,
        }
    )
    if damage != 'shape':
        with pytest.raises(InputError, match='one of'):
            dataset[2]


def test_no_lmdb_is_an_error(tmp_path):
    with pytest.raises(InputError, match='not a BasicSR LMDB'):
        verify_lmdb(tmp_path)
